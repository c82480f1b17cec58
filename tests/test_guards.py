"""Doors: a blueprint stands behind the guard it declares, whatever its routes do."""

from __future__ import annotations

import pytest
from flask import Blueprint, Flask

from app import guards
from tests.account.people import signed_in


def behind(app: Flask, guard: str) -> str:
    """A page behind that guard; its path."""
    blueprint = Blueprint(f"room_{guard.replace(':', '_')}", __name__)
    path = f"/room/{guard.replace(':', '-')}"
    blueprint.add_url_rule(path, "page", lambda: "inside")
    guards.register(app, blueprint, guard)
    return path


@pytest.mark.parametrize(
    ("guard", "stranger", "customer", "viewer", "operator", "owner"),
    [
        ("public", 200, 200, 200, 200, 200),
        ("customer", 302, 200, 200, 200, 200),
        ("staff:viewer", 302, 404, 200, 200, 200),
        ("staff:operator", 302, 404, 403, 200, 200),
        ("staff:owner", 302, 404, 403, 403, 200),
        # These look at the request itself; the blueprint's own code does.
        ("signature", 200, 200, 200, 200, 200),
        ("token", 200, 200, 200, 200, 200),
        # Tests are not a local shop: what only a local shop shows does not exist.
        ("local", 404, 404, 404, 404, 404),
    ],
)
def test_who_passes(
    app: Flask, guard: str, stranger: int, customer: int, viewer: int, operator: int, owner: int
) -> None:
    path = behind(app, guard)
    assert app.test_client().get(path).status_code == stranger
    for role, expected in ((None, customer), ("viewer", viewer), ("operator", operator), ("owner", owner)):
        assert signed_in(app, role).client.get(path).status_code == expected, role


def test_an_unknown_guard_stops_the_boot(app: Flask) -> None:
    with pytest.raises(ValueError, match="declares no known guard: 'staff'"):
        guards.register(app, Blueprint("room", __name__), "staff")


def test_a_guard_is_the_applications_own(app: Flask) -> None:
    """Two applications of one process do not share their checks."""
    blueprint = Blueprint("room", __name__)
    blueprint.add_url_rule("/room", "page", lambda: "inside")
    guards.register(app, blueprint, "staff:owner")
    other = Flask("other")
    guards.register(other, blueprint, "public")
    assert other.test_client().get("/room").status_code == 200
    assert app.test_client().get("/room").status_code == 302


def test_the_way_back_keeps_its_question(app: Flask) -> None:
    path = behind(app, "staff:viewer")
    answer = app.test_client().get(f"{path}?a=1&b=%26")
    assert answer.location == f"/login?next={path}?a%3D1%26b%3D%2526"
