"""The catalogue file: everything wrong is named at once, and nothing sold is ever rewritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import scoped_session

from app import gateway
from app.billing import catalog, catalog_sync, offers
from app.config import ROOT
from app.models import AuditRow, Offer, Price, PromotionCode, StripeCall
from tests.billing.sessions import open_order

SMALL = """
[merchant]
name = "A shop"
support_email = "help@shop.example"
currency = "eur"
[[tax]]
key = "vat"
name = "VAT"
percentage = 19
inclusive = true
[[offer]]
slug = "thing"
kind = "product"
name = "Thing"
summary = "A thing."
stock = 5
price = [{ currency = "eur", amount = "10.00", tax = "vat" }]
[[promotion_code]]
code = "FIVE"
amount_off = "5.00"
currency = "eur"
"""


def load(folder: Path, text: str) -> dict[str, int]:
    file = folder / "catalog.toml"
    file.write_text(text)
    return catalog.load(catalog.read(file))


def test_the_sample_is_what_the_shop_needs() -> None:
    sample = catalog.read(ROOT / "catalog.toml")
    assert [offer["kind"] for offer in sample.offers].count("plan") == 3
    products = [offer for offer in sample.offers if offer["kind"] == "product"]
    assert len(products) == 2
    assert [offer for offer in products if "stock" in offer]
    assert {price["currency"] for offer in sample.offers for price in offer["price"]} == {"eur", "jpy"}
    assert {tax["inclusive"] for tax in sample.taxes} == {True, False}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('name = "A shop"', ""), "[merchant]: “name” is missing."),
        (("percentage = 19", 'percentage = "lots"'), "“percentage” is a number"),
        (("inclusive = true", 'inclusive = "yes"'), "“inclusive” is true"),
        (('slug = "thing"', 'slug = "A Thing"'), "“slug” is small letters"),
        (('kind = "product"', 'kind = "gift"'), '“kind” is "product"'),
        (('summary = "A thing."', ""), "“summary” is missing"),
        (("stock = 5", "stock = -1"), "“stock” is a whole number"),
        (('"10.00"', '"10.005"'), "“amount” is written as"),
        (('"10.00"', '"0.00"'), "out of range"),
        (('currency = "eur", amount', 'currency = "EURO", amount'), "“currency” is three small letters"),
        (('tax = "vat" }', 'tax = "gst" }'), "there is no [[tax]] “gst”"),
        (('tax = "vat" }', 'interval = "month" }'), "a plan's price has “interval”"),
        (('tax = "vat" }', 'tax = "vat", trial_days = 9999 }'), "“trial_days” is a whole number"),
        (('code = "FIVE"', 'code = "five!"'), "“code” is 3 to 64 capital letters"),
        (('amount_off = "5.00"', 'amount_off = "5.00"\npercent_off = 5'), "has either “percent_off”"),
        (('amount_off = "5.00"', "percent_off = 500"), "“percent_off” is a number above 0"),
        (('amount_off = "5.00"', 'amount_off = "5.001"'), "“amount_off” is written as"),
        (("stock = 5", "stok = 5"), "“stok” is not a known entry"),
        (("price = [{", "price = [] #"), "has no [[offer.price]]"),
        (("[merchant]", "[merchant"), "is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text(SMALL.replace(*change))
    with pytest.raises(catalog.CatalogError) as refused:
        catalog.read(file)
    assert any(says in problem for problem in refused.value.problems), refused.value.problems


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(catalog.CatalogError, match="does not exist"):
        catalog.read(tmp_path / "none.toml")


def test_pushing_twice_changes_nothing(db_session: scoped_session, tmp_path: Path) -> None:
    assert load(tmp_path, SMALL)["prices"] == 1
    assert load(tmp_path, SMALL)["new_prices"] == 0
    assert len(db_session.scalars(select(Price)).all()) == 1
    assert len(db_session.scalars(select(AuditRow)).all()) == 2


def test_a_changed_price_is_a_new_one_and_the_old_stays(db_session: scoped_session, tmp_path: Path) -> None:
    load(tmp_path, SMALL)
    load(tmp_path, SMALL.replace('"10.00"', '"12.00"'))
    prices = db_session.scalars(select(Price).order_by(Price.id)).all()
    assert [(p.lookup_key, p.unit_amount, p.active) for p in prices] == [
        ("thing-eur-v1", 1000, False),
        ("thing-eur-v2", 1200, True),
    ]
    load(tmp_path, SMALL)
    assert offers.price_on_sale("thing-eur-v1") is not None
    # A page that was opened before names a price that is no longer sold: it leads to the one that took its place.
    assert offers.price_on_sale("thing-eur-v2").lookup_key == "thing-eur-v1"


def test_what_is_no_longer_listed_is_archived(db_session: scoped_session, tmp_path: Path) -> None:
    load(tmp_path, SMALL)
    gone = SMALL.replace('slug = "thing"', 'slug = "other"').replace('code = "FIVE"', 'code = "SIX"')
    assert load(tmp_path, gone)["archived"] == 1
    assert offers.by_slug("thing") is None
    assert offers.by_slug("other") is not None
    assert {c.code: c.active for c in db_session.scalars(select(PromotionCode))} == {
        "FIVE": False,
        "SIX": True,
    }


def test_a_changed_stock_keeps_what_is_held_off_it(shop: scoped_session, tmp_path: Path) -> None:
    open_order("press-evening-eur-v1", quantity=4)
    offer = shop.scalars(select(Offer).where(Offer.slug == "press-evening")).one()
    shop.refresh(offer)
    assert offer.available == 8
    text = (ROOT / "catalog.toml").read_text()
    for stock, available in (("stock = 20", 16), ("stock = 2", -2), ("", None), ("stock = 10", 6)):
        load(tmp_path, text.replace("stock = 12", stock))
        shop.commit()
        assert offer.available == available, stock


def test_a_key_of_another_account_makes_everything_there_anew(
    shop: scoped_session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever points a shop that ran on the simulator at Stripe sells at Stripe, not with ids of the simulator."""
    made: list[str] = []

    def perform(call: StripeCall) -> dict[str, str]:
        made.append(call.operation)
        return {"id": f"{call.operation}_{len(made)}"}

    monkeypatch.setattr(gateway, "perform", perform)
    for account, new in (("acct_simulated", 25), ("acct_simulated", 0), ("acct_stripe", 25)):
        monkeypatch.setattr(gateway, "account", lambda account=account: {"id": account})
        monkeypatch.setattr(gateway, "listing", lambda *_arguments, **_filters: live_codes(shop))
        made.clear()
        assert len(list(catalog_sync.push())) == len(made) == new, account
    keys = shop.scalars(select(StripeCall.idempotency_key)).all()
    assert len(keys) == len(set(keys)) == 50


def live_codes(session: scoped_session) -> list[dict[str, Any]]:
    """The promotion codes we know, as Stripe lists those that work."""
    known = session.scalars(select(PromotionCode.stripe_promotion_code_id)).all()
    return [{"id": code, "metadata": {"coupon": "c"}} for code in known if code]


def test_a_typing_error_in_the_stock_oversells_nothing(shop: scoped_session, tmp_path: Path) -> None:
    open_order("press-evening-eur-v1", quantity=6)
    offer = shop.scalars(select(Offer).where(Offer.slug == "press-evening")).one()
    text = (ROOT / "catalog.toml").read_text()
    for stock, available in (("stock = 1", -5), ("stock = 12", 6)):
        load(tmp_path, text.replace("stock = 12", stock))
        shop.commit()
        assert offer.available == available
        assert offer.sold_out is (available <= 0)
