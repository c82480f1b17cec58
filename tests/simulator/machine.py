"""A random but valid customer of the simulator, in one process: operations, clock advances, and what must hold."""

import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from flask.testing import FlaskClient

from app.simulator.keeping import dumped
from app.simulator.registry import match
from app.simulator.web import Settings, create_simulator

START = 1_767_225_600
DAY = 86_400
CARDS = (
    *["pm_card_visa"] * 8, "pm_card_mastercard", "pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds",
    "pm_card_authenticationRequired", "pm_card_authenticationRequiredOnSetup", "pm_card_createDispute",
    "pm_card_createDisputeInquiry", "pm_card_createMultipleDisputes", "pm_card_createIssuerFraudRecord",
    "pm_card_riskLevelElevated", "pm_card_radarBlock", "pm_card_pendingRefund", "pm_card_refundFail",
    "pm_card_bypassPending", "pm_card_chargeCustomerFail",
)  # fmt: skip
TEXTS = ("winning_evidence", "losing_evidence", "escalate_inquiry_evidence", "we did deliver it")
OPERATIONS: list[tuple[int, Callable[["Machine"], Any]]] = []


def operation(weight: int) -> Callable[[Callable[["Machine"], Any]], Callable[["Machine"], Any]]:
    """Register one thing the machine may do, drawn `weight` times as often as one of weight 1."""

    def register(run: Callable[["Machine"], Any]) -> Callable[["Machine"], Any]:
        OPERATIONS.append((weight, run))
        return run

    return register


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested fields in Stripe's bracket notation."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in flat(v, f"{prefix}[{k}]" if prefix else str(k))]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in flat(v, f"{prefix}[{i}]")]
    return [(prefix, str(value).lower() if isinstance(value, bool) else str(value))]


class Machine:
    """Drives one simulator of its own; the same seed does the same things."""

    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        settings = Settings(
            database=str(folder / "simulator.db"),
            seed=str(seed),
            start=START,
            check=True,
            base_url="http://localhost",
        )
        self.app = create_simulator(settings)
        self.store = self.app.extensions["store"]
        self.store.open()
        self.client: FlaskClient = self.app.test_client()
        self.rng = random.Random(seed)
        self.pool: dict[str, list[str]] = defaultdict(list)
        self.statuses: dict[int, int] = defaultdict(int)
        self.times: dict[str | None, int] = {}
        self.done: dict[str, int] = defaultdict(int)

    def close(self) -> None:
        self.store.close()

    def api(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        """One request of `/v1`, remembered by the object it made; never a 500."""
        if match(method, f"/v1/{path}") is None:
            return {}
        body = urlencode(flat(fields))
        query = {"query_string": body} if method != "POST" else {"data": body.encode()}
        headers = {"Authorization": "Bearer sk_test_machine", "Stripe-Version": VERSION}
        answer = self.client.open(f"/v1/{path}", method=method, headers=headers, **query)
        assert answer.status_code < 500, (
            f"{method} {path} {fields}: {self.app.extensions['door'].violations[-1:]}"
        )
        self.statuses[answer.status_code] += 1
        found = orjson.loads(answer.data)
        if method == "POST" and answer.status_code == 200 and "id" in found:
            known = self.pool[found["object"]]
            if found["id"] not in known[-50:]:
                known.append(found["id"])
        return found

    def post(self, path: str, **fields: Any) -> dict[str, Any]:
        return self.api("POST", path, **fields)

    def page(self, path: str, **fields: Any) -> None:
        """A form of the hosted pages or the control surface, submitted."""
        answer = self.client.post(path, data=fields)
        assert answer.status_code < 500, f"{path} {fields}"

    def some(self, name: str, recent: int = 40) -> str | None:
        """The id of an object made before, rather a recent one; None when there is none."""
        known = self.pool[name][-recent:]
        return self.rng.choice(known) if known else None

    def amount(self) -> int:
        return self.rng.choice([50, 99, 100, 1999, 2500, 10_000, 123_457])

    def listed(self, path: str, name: str, **fields: Any) -> None:
        """Take the ids of a list into the pool: what cards and timed work made."""
        for entry in self.api("GET", path, limit=20, **fields).get("data", []):
            if entry["id"] not in self.pool[name]:
                self.pool[name].append(entry["id"])

    def step(self) -> None:
        """One operation drawn at random."""
        weights = [weight for weight, _ in OPERATIONS]
        (run,) = self.rng.choices([run for _, run in OPERATIONS], weights)
        self.done[run.__name__] += 1
        run(self)

    def bytes(self) -> bytes:
        """Everything there is, to the byte."""
        return orjson.dumps(dumped(self.store))


def _version() -> str:
    from app.simulator.contract import API_VERSION

    return API_VERSION


VERSION = _version()


# ------------------------------------------------------------------------------------- what it does


@operation(4)
def a_customer(m: Machine) -> None:
    name = m.rng.choice(["Jenny Rosen", "<b>O'Neil</b>", "Zoë 株式会社", "a" * 200])
    m.post("customers", name=name, email=f"c{len(m.pool['customer'])}@example.com", metadata={"n": name[:20]})


@operation(2)
def a_customer_changed(m: Machine) -> None:
    if owner := m.some("customer"):
        m.post(f"customers/{owner}", description=m.rng.choice(["x", "y", "z"]))


@operation(1)
def a_customer_deleted(m: Machine) -> None:
    if owner := m.some("customer"):
        m.api("DELETE", f"customers/{owner}")


@operation(3)
def a_card_attached(m: Machine) -> None:
    if owner := m.some("customer"):
        card = m.rng.choice(CARDS)
        made = m.post(f"payment_methods/{card}/attach", customer=owner)
        if "id" in made and m.rng.random() < 0.7:
            m.post(f"customers/{owner}", invoice_settings={"default_payment_method": made["id"]})


@operation(1)
def a_card_detached(m: Machine) -> None:
    if method := m.some("payment_method"):
        m.post(f"payment_methods/{method}/detach")


@operation(3)
def a_setup(m: Machine) -> None:
    fields: dict[str, Any] = {"payment_method": m.rng.choice(CARDS), "confirm": True}
    if owner := m.some("customer"):
        fields["customer"] = owner
    m.post("setup_intents", **(fields if m.rng.random() < 0.7 else {}))


@operation(2)
def a_setup_continued(m: Machine) -> None:
    if intent := m.some("setup_intent", 5):
        verb = m.rng.choice(["confirm", "cancel", "challenge"])
        if verb == "challenge":
            m.page(f"/c/3ds/{intent}", answer=m.rng.choice(["approve", "fail"]))
        else:
            m.post(
                f"setup_intents/{intent}/{verb}",
                **({"payment_method": "pm_card_visa"} if verb == "confirm" else {}),
            )


@operation(8)
def a_payment(m: Machine) -> None:
    fields: dict[str, Any] = {"amount": m.amount(), "currency": m.rng.choice(["usd", "usd", "eur", "jpy"])}
    if m.rng.random() < 0.85:
        fields |= {"payment_method": m.rng.choice(CARDS), "confirm": True}
    if m.rng.random() < 0.2:
        fields["capture_method"] = "manual"
    m.post("payment_intents", **fields)


@operation(4)
def a_payment_continued(m: Machine) -> None:
    if intent := m.some("payment_intent", 10):
        verb = m.rng.choice(["confirm", "capture", "cancel", "challenge", "update", "partly"])
        if verb == "challenge":
            m.page(f"/c/3ds/{intent}", answer=m.rng.choice(["approve", "fail"]))
        elif verb == "update":
            m.post(f"payment_intents/{intent}", amount=m.amount())
        elif verb == "partly":
            m.post(f"payment_intents/{intent}/capture", amount_to_capture=m.rng.randint(1, 3000))
        else:
            m.post(
                f"payment_intents/{intent}/{verb}",
                **({"payment_method": "pm_card_visa"} if verb == "confirm" else {}),
            )


@operation(6)
def a_refund(m: Machine) -> None:
    if intent := m.some("payment_intent"):
        fields: dict[str, Any] = {"amount": m.rng.randint(1, 3000)} if m.rng.random() < 0.5 else {}
        m.post("refunds", payment_intent=intent, reason=m.rng.choice(["duplicate", "fraudulent"]), **fields)


@operation(3)
def a_dispute_answered(m: Machine) -> None:
    m.listed("disputes", "dispute")
    if dispute := m.some("dispute", 10):
        evidence = {"uncategorized_text": m.rng.choice(TEXTS), "customer_name": "Jenny"}
        m.post(f"disputes/{dispute}", evidence=evidence, submit=m.rng.random() < 0.7)


@operation(1)
def a_dispute_closed(m: Machine) -> None:
    if dispute := m.some("dispute", 10):
        m.post(f"disputes/{dispute}/close")


@operation(2)
def a_review_approved(m: Machine) -> None:
    m.listed("reviews", "review")
    if review := m.some("review", 5):
        m.post(f"reviews/{review}/approve")


@operation(3)
def the_dashboard(m: Machine) -> None:
    m.listed("charges", "charge")
    name, verb = m.rng.choice(
        [("charge", "dispute"), ("charge", "refund"), ("charge", "warn"), ("charge", "review"), ("refund", "fail"),
         ("dispute", "win"), ("dispute", "lose"), ("dispute", "escalate"), ("price", "archive"), ("payout", "fail"),
         ("subscription", "cancel")]
    )  # fmt: skip
    if found := m.some(name, 10):
        m.page(f"/_sim/stage/{name}/{found}/{verb}")


@operation(2)
def a_payout(m: Machine) -> None:
    if m.rng.random() < 0.2 and (payout := m.some("payout", 3)):
        m.post(f"payouts/{payout}/cancel")
    else:
        m.post("payouts", amount=m.amount(), currency=m.rng.choice(["usd", "eur", "jpy"]))


@operation(3)
def a_price(m: Machine) -> None:
    fields: dict[str, Any] = {"currency": "usd", "unit_amount": m.amount(), "product_data": {"name": "Thing"}}
    if m.rng.random() < 0.6:
        fields["recurring"] = {"interval": m.rng.choice(["month", "month", "week", "year"])}
        made = m.post("prices", **fields)
        m.pool["plan"].append(made["id"])
    else:
        m.pool["one"].append(m.post("prices", **fields)["id"])


@operation(5)
def a_session(m: Machine) -> None:
    if price := m.some("one"):
        line = {"price": price, "quantity": m.rng.randint(1, 3)}
        m.post(
            "checkout/sessions",
            mode="payment",
            line_items=[line],
            success_url="http://localhost:9/{CHECKOUT_SESSION_ID}",
        )


@operation(5)
def a_session_continued(m: Machine) -> None:
    if session := m.some("checkout.session", 10):
        if m.rng.random() < 0.2:
            m.post(f"checkout/sessions/{session}/expire")
        else:
            m.post(f"payment_pages/{session}/confirm", payment_method=m.rng.choice(CARDS))


@operation(4)
def a_subscription(m: Machine) -> None:
    owner, price = m.some("customer"), m.some("plan")
    if owner and price:
        fields: dict[str, Any] = {"trial_period_days": m.rng.randint(1, 20)} if m.rng.random() < 0.3 else {}
        m.post(
            "subscriptions",
            customer=owner,
            items=[{"price": price, "quantity": m.rng.randint(1, 3)}],
            **fields,
        )


@operation(3)
def a_subscription_changed(m: Machine) -> None:
    subscription = m.some("subscription", 15)
    if not subscription:
        return
    verb = m.rng.choice(["end", "stay", "cancel", "quantity", "plan"])
    if verb == "cancel":
        m.api("DELETE", f"subscriptions/{subscription}")
        return
    if verb in ("end", "stay"):
        m.post(f"subscriptions/{subscription}", cancel_at_period_end=verb == "end")
        return
    held = m.api("GET", f"subscriptions/{subscription}").get("items", {}).get("data", [])
    if held:
        change: dict[str, Any] = {"id": held[0]["id"], "quantity": m.rng.randint(1, 5)}
        if verb == "plan":
            change["price"] = m.some("plan")
        m.post(f"subscriptions/{subscription}", items=[change], proration_behavior=m.rng.choice(
            ["create_prorations", "always_invoice", "none"]))  # fmt: skip


@operation(3)
def an_invoice(m: Machine) -> None:
    if owner := m.some("customer"):
        m.post("invoiceitems", customer=owner, amount=m.amount(), currency="usd")
        if m.rng.random() < 0.6:
            m.post(
                "invoices",
                customer=owner,
                auto_advance=m.rng.random() < 0.5,
                pending_invoice_items_behavior="include",
            )


@operation(3)
def an_invoice_continued(m: Machine) -> None:
    if invoice := m.some("invoice", 8):
        m.post(f"invoices/{invoice}/{m.rng.choice(['finalize', 'pay', 'void', 'mark_uncollectible'])}")


@operation(2)
def a_credit_note(m: Machine) -> None:
    if invoice := m.some("invoice", 15):
        way = m.rng.choice(["refund_amount", "credit_amount", "out_of_band_amount"])
        amount = m.rng.choice([50, 100, 900])
        m.post(
            "credit_notes", invoice=invoice, amount=amount, **({way: amount} if m.rng.random() < 0.7 else {})
        )


@operation(2)
def a_coupon_given(m: Machine) -> None:
    fields: dict[str, Any] = {"duration": m.rng.choice(["once", "forever"])}
    fields |= (
        {"percent_off": m.rng.choice([10, 33.3, 100])}
        if m.rng.random() < 0.6
        else {"amount_off": 500, "currency": "usd"}
    )
    coupon = m.post("coupons", **fields).get("id")
    if subscription := m.some("subscription", 10):
        m.post(f"subscriptions/{subscription}", discounts=[{"coupon": coupon}])


@operation(2)
def a_session_for_longer(m: Machine) -> None:
    if m.rng.random() < 0.3:
        m.post("checkout/sessions", mode="setup", currency="usd", success_url="http://localhost:9/")
    elif price := m.some("plan"):
        fields: dict[str, Any] = (
            {"subscription_data": {"trial_period_days": 7}} if m.rng.random() < 0.3 else {}
        )
        line = {"price": price, "quantity": 1}
        m.post(
            "checkout/sessions",
            mode="subscription",
            line_items=[line],
            success_url="http://localhost:9/",
            **fields,
        )


@operation(2)
def a_life_under_a_clock(m: Machine) -> None:
    if m.rng.random() < 0.4 or not m.pool["test_helpers.test_clock"]:
        now = int(m.store.clock.now())
        clock = m.post("test_helpers/test_clocks", frozen_time=now, name="a life").get("id")
        if clock is None:
            return
        m.times[clock] = now
        card = m.rng.choice(["pm_card_visa", "pm_card_visa", "pm_card_chargeCustomerFail"])
        owner = m.post(
            "customers",
            test_clock=clock,
            payment_method=card,
            invoice_settings={"default_payment_method": card},
        )
        if price := m.some("plan"):
            m.post("subscriptions", customer=owner.get("id", "cus_x"), items=[{"price": price}])
    elif (clock := m.some("test_helpers.test_clock", 3)) in m.times:
        m.times[clock] += m.rng.choice([1, 5, 20, 33]) * DAY
        m.post(f"test_helpers/test_clocks/{clock}/advance", frozen_time=m.times[clock])


@operation(2)
def looking(m: Machine) -> None:
    path = m.rng.choice(
        ["events", "charges", "refunds", "balance_transactions", "disputes", "payment_intents"]
    )
    page = m.api("GET", path, limit=m.rng.randint(1, 100))
    if page.get("has_more"):
        m.api("GET", path, limit=5, starting_after=page["data"][-1]["id"])


@operation(6)
def time_passing(m: Machine) -> None:
    seconds = m.rng.choice([1, 1, 60, 3600, 3600, DAY, DAY, 3 * DAY, 10 * DAY])
    m.page("/_sim/clock", advance=seconds)
