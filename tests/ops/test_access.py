"""Who may do what in the console: every route of it, read from the URL map, for every kind of visitor."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.account.people import signed_in, token
from tests.infra.shop import ClientRequest
from tests.ops.conftest import stored_event

ROLES = ("viewer", "operator", "owner")


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """(method, path pattern, staff role it needs) of every route of the console."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("ops."):
            role = getattr(app.view_functions[rule.endpoint], "required_role", "viewer")
            found += [(method, rule.rule, role) for method in rule.methods & {"GET", "POST", "PUT", "DELETE"}]
    return sorted(found)


def addresses(shop: Flask, held: str) -> list[tuple[str, str, str]]:
    """The same with real ids in; a route with an argument that is not known here fails the test."""
    known = {"order_id": held, "event_id": stored_event(shop)}
    return [(m, p.replace("<", "{").replace(">", "}").format(**known), role) for m, p, role in routes(shop)]


def ask(visitor: ClientRequest, method: str, path: str) -> tuple[int, str]:
    data = {"csrf_token": token(visitor)} if method == "POST" else None
    answer = visitor.client.open(path, method=method, data=data)
    return answer.status_code, answer.headers.get("Location", "")


def test_every_change_needs_more_than_a_viewer(shop: Flask) -> None:
    found = routes(shop)
    assert {path for _, path, _ in found} >= {"/ops", "/ops/orders", "/ops/orders/<order_id>/release"}
    assert {role for method, _, role in found if method == "POST"} == {"operator"}
    assert {role for method, _, role in found if method == "GET"} == {"viewer"}


def test_a_stranger_is_led_to_sign_in(shop: Flask, held: str) -> None:
    stranger = ClientRequest(shop.test_client())
    stranger.get("/login")
    for method, path, _ in addresses(shop, held):
        expected = (302, f"/login?next={path}") if method == "GET" else (303, "/login")
        assert ask(stranger, method, path) == expected, (method, path)


def test_a_customer_learns_nothing(shop: Flask, held: str) -> None:
    customer = signed_in(shop, None)
    for method, path, _ in addresses(shop, held):
        assert ask(customer, method, path)[0] == 404, (method, path)


@pytest.mark.parametrize("role", ROLES)
def test_staff_may_do_what_their_role_says(shop: Flask, held: str, role: str) -> None:
    someone = signed_in(shop, role)
    for method, path, needed in addresses(shop, held):
        allowed = ROLES.index(role) >= ROLES.index(needed)
        expected = (200 if method == "GET" else 303) if allowed else 403
        assert ask(someone, method, path)[0] == expected, (method, path)


def test_a_form_without_its_token_is_refused(shop: Flask, operator: ClientRequest, held: str) -> None:
    assert operator.client.post(f"/ops/orders/{held}/release").status_code == 400


def test_a_role_taken_away_ends_at_once(shop: Flask) -> None:
    from app.extensions import db, security

    visitor = signed_in(shop, "owner", "former@shop.test")
    visitor.get("/ops")
    with shop.app_context():
        user = security.datastore.find_user(email="former@shop.test")
        security.datastore.remove_role_from_user(user, "owner")
        db.session.commit()
    visitor.get("/ops", 404)


def test_what_is_not_there_is_not_found(operator: ClientRequest) -> None:
    for path in ("/ops/orders/ord_none", "/ops/events/evt_none", "/ops/nothing"):
        operator.get(path, 404)
    for path in ("/ops/orders/ord_none/sync", "/ops/orders/ord_none/release", "/ops/events/evt_none/replay"):
        operator.post(path, {"csrf_token": token(operator)}, 404)
