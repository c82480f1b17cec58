"""The merchant's balance: one balance_transaction for every movement, fees from one fixed table.

The balance is the sum of the transactions, always. Amounts settle in the currency they were charged in.
"""

from __future__ import annotations

from decimal import Decimal

from app.money import Money, percent
from app.simulator.registry import Doc, timed
from app.simulator.transaction import Transaction

RATE = Decimal("2.9")
FIXED = {"usd": 30, "eur": 25, "gbp": 20, "cad": 30, "aud": 30, "chf": 30, "sek": 180, "nok": 200, "dkk": 180}
SETTLES_AFTER = 2 * 86400
_CATEGORIES = {"adjustment": "other_adjustment", "payment_refund": "refund", "payment": "charge"}


def fee_of(amount: int, currency: str) -> int:
    """Stripe's fee on a charge: 2.9% and a fixed part that zero-decimal currencies do not have."""
    return min(amount, percent(Money(amount, currency), RATE).amount + FIXED.get(currency, 0))


def book(
    tx: Transaction,
    kind: str,
    amount: int,
    currency: str,
    source: Doc,
    *,
    fee: int = 0,
    fee_for: str = "Stripe processing fees",
    description: str | None = None,
    category: str | None = None,
    at_once: bool = False,
) -> Doc:
    """Write one movement of `amount` (signed) less `fee`; it is pending for two days unless `at_once`."""
    details = []
    if fee:
        details.append(
            {"amount": fee, "application": None, "currency": currency, "description": fee_for,
             "type": "stripe_fee"}
        )  # fmt: skip
    available = tx.now if at_once else tx.now + SETTLES_AFTER
    row = tx.create(
        "balance_transaction",
        {
            "amount": amount, "currency": currency, "fee": fee, "fee_details": details, "net": amount - fee,
            "type": kind, "reporting_category": category or _CATEGORIES.get(kind, kind), "source": source["id"],
            "status": "available" if at_once else "pending", "available_on": available, "description": description,
            "balance_type": "payments",
        },
    )  # fmt: skip
    if not at_once:
        tx.schedule(available, "funds.available", row["id"])
    return row


@timed("funds.available")
def _available(tx: Transaction, identifier: str) -> None:
    row = tx.get("balance_transaction", identifier)
    if row is not None:
        tx.update(row, status="available")


def balance(tx: Transaction) -> Doc:
    """The balance object: what is available and what is still pending, by currency."""
    sums: dict[str, dict[str, int]] = {"available": {}, "pending": {}}
    rows = tx.sql.execute(
        "SELECT json_extract(data, '$.status'), json_extract(data, '$.currency'), sum(json_extract(data, '$.net'))"
        " FROM objects WHERE object = 'balance_transaction' GROUP BY 1, 2"
    )
    for status, currency, net in rows:
        sums[status][currency] = net
    currencies = sorted({c for part in sums.values() for c in part}) or ["usd"]

    def listed(part: str) -> list[Doc]:
        return [
            {"amount": sums[part].get(c, 0), "currency": c, "source_types": {"card": sums[part].get(c, 0)}}
            for c in currencies
        ]

    return {
        "object": "balance", "available": listed("available"), "livemode": False, "pending": listed("pending"),
        "connect_reserved": [{"amount": 0, "currency": c} for c in currencies],
    }  # fmt: skip
