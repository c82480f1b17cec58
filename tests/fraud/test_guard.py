"""The guard: reads each checkout request's signals, turns listed networks away, and believes no header it is not
told to believe.
"""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import scoped_session

from app.extensions import db, mean_to_write
from app.fraud import guard, lists
from app.models import FraudDecision, Order
from tests.fraud.conftest import Press
from tests.infra import html

LISTED = "203.0.113.9"


def put(list_name: str, network: str) -> None:
    mean_to_write()
    lists.add(list_name, network, actor="operator")
    db.session.commit()


def orders() -> list[Order]:
    db.session.rollback()
    return list(db.session.scalars(select(Order).order_by(Order.id)))


def the_decision() -> FraudDecision:
    db.session.rollback()
    return db.session.scalars(select(FraudDecision)).one()


@pytest.mark.parametrize("address", [LISTED, f"::ffff:{LISTED}"])
def test_an_order_from_a_high_risk_network_is_flagged(
    shop: scoped_session, press: Press, address: str
) -> None:
    put("high_risk", "203.0.113.0/24")
    assert press(address).status_code == 503
    (order,) = orders()
    assert (order.flagged, order.flags) == (True, ["suspicious_ip"])
    assert the_decision().signals["high_risk"] is True


def test_an_order_from_anywhere_else_is_not(shop: scoped_session, press: Press) -> None:
    put("high_risk", "203.0.113.0/24")
    put("high_risk", "2001:db8::/32")
    press("203.0.114.9")
    assert [(order.flagged, order.flags) for order in orders()] == [(False, [])]


def test_ipv6_networks_are_listed_too(shop: scoped_session, press: Press) -> None:
    put("high_risk", "2001:db8::/32")
    press("2001:db8:1::9")
    assert orders()[0].flags == ["suspicious_ip"]


def test_a_refused_network_is_told_calmly_and_leaves_no_order(shop: scoped_session, press: Press) -> None:
    put("refuse", "203.0.113.0/24")
    answer = press(LISTED)
    assert answer.status_code == 403
    page = html.parse(answer.get_data(as_text=True))
    assert page.one("h1").text == "We cannot take this order"
    assert "No money was taken." in page.text
    assert LISTED not in page.text
    assert orders() == []
    assert press("203.0.114.9").status_code == 503
    assert len(orders()) == 1


def test_a_refused_network_can_still_read(shop: scoped_session, app: Flask) -> None:
    put("refuse", LISTED)
    visitor = app.test_client()
    for path in ("/", "/offers/field-guide", "/help"):
        assert visitor.get(path, environ_overrides={"REMOTE_ADDR": LISTED}).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP",
                                    "CF-Connecting-IP", "X-Client-IP", "Client-IP", "Via"])  # fmt: skip
def test_without_a_trusted_proxy_nobody_speaks_for_another_address(
    shop: scoped_session, press: Press, header: str
) -> None:
    put("refuse", LISTED)
    named = {header: f"for={LISTED}" if header == "Forwarded" else LISTED}
    assert press("198.51.100.7", **named).status_code == 503  # nobody is framed
    named = {header: "for=198.51.100.7" if header == "Forwarded" else "198.51.100.7"}
    assert press(LISTED, **named).status_code == 403  # nobody gets away


class TestBehindAProxy:
    """TRUSTED_PROXIES=1: the address is the last one in X-Forwarded-For, which our own proxy wrote."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "TRUSTED_PROXIES": "1"}

    @pytest.mark.parametrize(
        ("forwarded", "status"),
        [
            (LISTED, 403),
            (f"198.51.100.7, {LISTED}", 403),
            (f"{LISTED}, 198.51.100.7", 503),  # whatever the client itself claimed stands before
            ("198.51.100.7", 503),
            ("", 503),
            ("unknown", 503),
            ("not an address, at all", 503),
            ("2001:db8::1", 503),
        ],
    )
    def test_the_proxy_is_believed(
        self, shop: scoped_session, press: Press, forwarded: str, status: int
    ) -> None:
        put("refuse", LISTED)
        assert press("10.0.0.1", X_Forwarded_For=forwarded).status_code == status


@pytest.mark.parametrize(
    ("agent", "length"),
    [("", 0), ("Mozilla/5.0", 11), ("x" * 8192, 8192), ("x" * 20_000, 8192), ("\u00e9\xff" * 10, None)],
)
def test_no_user_agent_is_too_strange(
    shop: scoped_session, press: Press, agent: str, length: int | None
) -> None:
    assert press(User_Agent=agent, Accept_Language="x" * 5000).status_code == 503
    stored = the_decision().signals
    assert length is None or stored["user_agent_length"] == length
    assert len(orders()) == 1


def test_missing_headers_are_no_trouble(shop: scoped_session, press: Press, app: Flask) -> None:
    assert press(Accept_Language=",".join(f"x{n}" for n in range(300))).status_code == 503
    assert the_decision().signals["languages"] == 99


def test_signals_are_of_this_request_and_hold_no_address(shop: scoped_session, press: Press) -> None:
    press("198.51.100.7", User_Agent="Mozilla/5.0", Accept_Language="de, en;q=0.5")
    stored = the_decision().signals
    assert stored["languages"] == 2
    assert len(stored["network_hash"]) == 64
    assert "198.51" not in str(stored)
    assert "Mozilla" not in str(stored)


def test_one_network_is_known_again_and_told_from_another(shop: scoped_session, press: Press) -> None:
    for address in ("198.51.100.7", "198.51.100.8", "198.51.101.8"):
        press(address)
    db.session.rollback()
    first, second, third = (row.signals["network_hash"] for row in db.session.scalars(select(FraudDecision)))
    assert first == second != third


def test_what_is_guarded_exists(app: Flask) -> None:
    assert set(app.view_functions) >= guard.GUARDED


def test_a_refused_network_cannot_go_on_with_an_order_either(shop: scoped_session, app: Flask) -> None:
    put("refuse", LISTED)
    app.config["WTF_CSRF_ENABLED"] = False
    for address, status in ((LISTED, 403), ("198.51.100.7", 404)):
        answer = app.test_client().post("/checkout/ord_x/resume", environ_overrides={"REMOTE_ADDR": address})
        assert answer.status_code == status
