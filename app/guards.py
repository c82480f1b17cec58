"""Who may pass which door. Every blueprint is registered with its guard; none is open by oversight."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Blueprint, Flask, abort, redirect, request, url_for
from flask_security import current_user
from werkzeug.wrappers import Response

P = ParamSpec("P")
R = TypeVar("R")

GUARDS = (
    "public",
    "customer",
    "staff:viewer",
    "staff:operator",
    "staff:owner",
    "signature",
    "token",
    "local",
)


def register(app: Flask, blueprint: Blueprint, guard: str) -> None:
    """Register `blueprint` behind `guard`; an unknown guard stops the boot."""
    if guard not in GUARDS:
        raise ValueError(f"blueprint {blueprint.name} declares no known guard: {guard!r}")
    # On the application, not on the blueprint: a process may put together more than one application.
    checks = app.before_request_funcs.setdefault(blueprint.name, [])
    if guard.startswith("staff:"):
        role = guard.partition(":")[2]
        checks.append(lambda: _require_staff(role))
    elif guard == "customer":
        checks.append(_require_user)
    elif guard == "local":
        checks.append(lambda: None if app.config["SETTINGS"].local else abort(404))
    app.extensions.setdefault("guards", {})[blueprint.name] = guard
    app.register_blueprint(blueprint)


def staff(role: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A view that needs a higher staff role than its blueprint's."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if not current_user.may(role):
                abort(403)
            return view(*args, **kwargs)

        guarded.required_role = role  # type: ignore[attr-defined]  # read by the role matrix test
        return guarded

    return decorate


def _sign_in() -> Response:
    # A form that was sent after its session ended is not sent again: signing in leads to the user's own start.
    back: dict[str, Any] = {"next": request.full_path.rstrip("?")} if request.method == "GET" else {}
    return redirect(url_for("security.login", **back), 302 if back else 303)


def _require_user() -> Any:
    return None if current_user.is_authenticated else _sign_in()


def _require_staff(role: str) -> Any:
    """Strangers sign in; a customer who found the address learns nothing; staff of a lower role get 403."""
    if not current_user.is_authenticated:
        return _sign_in()
    if current_user.staff_role is None:
        abort(404)
    return None if current_user.may(role) else abort(403)
