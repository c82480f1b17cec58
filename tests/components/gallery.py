"""A gallery of every component and both layouts, for looking at: python -m tests.components.gallery [PORT].

Figures are made up; pages stand at the paths the product will use, so that the masthead marks the right link.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask, render_template, request
from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader
from werkzeug.serving import make_server

from app.money import Money
from tests.components.stand_in import at, euros, make_app

HERE = Path(__file__).resolve().parent
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
SHOP_NAV = [("offers", "Plans"), ("books", "Books"), ("account", "Account")]
OPS_NAV = [
    ("ops", "Orders"),
    ("ops_order", "Payments"),
    ("ops_metrics", "Metrics"),
    ("ops_states", "States"),
]
STATES = [
    "paid",
    "succeeded",
    "active",
    "handled",
    "trialing",
    "processing",
    "pending",
    "open",
    "past_due",
    "disputed",
    "held",
    "flagged",
    "parked",
    "needs_review",
    "partially_refunded",
    "failed",
    "lost",
    "dead",
    "declined",
    "refunded",
    "canceled",
    "expired",
    "draft",
    "ignored",
    "some_new_state",
]


def plans() -> list[SimpleNamespace]:
    return [
        SimpleNamespace(
            id="solo",
            name="Solo",
            price=euros(1900),
            summary="For one person and their own books.",
            then="Then €19.00 a month until you cancel.",
            features=["1 seat", "Unlimited invoices", "Answers by email within two days"],
            mark=None,
        ),
        SimpleNamespace(
            id="team",
            name="Team",
            price=euros(4900),
            summary="For a small office that shares one ledger.",
            then="Free for 14 days, then €49.00 a month until you cancel.",
            features=[
                "5 seats",
                "Everything in Solo",
                "Approval of outgoing payments",
                "Answers within a day",
            ],
            mark="Most chosen",
        ),
        SimpleNamespace(
            id="studio",
            name="Studio",
            price=euros(9900),
            summary="For firms that keep books for others.",
            then="Then €99.00 a month until you cancel.",
            features=["25 seats", "Everything in Team", "Audit log", "Support by telephone"],
            mark=None,
        ),
    ]


def orders() -> list[SimpleNamespace]:
    people = ["amara.okafor", "lena.brandt", "jun.watanabe", "tomas.novak", "ines.carvalho", "d.mcallister"]
    amounts = [euros(5831), euros(1900), Money(7400, "jpy"), euros(11781), euros(124900), euros(5831)]
    methods = ["Visa ending 4242", "Mastercard ending 4444", "SEPA debit ending 3000", "Visa ending 0341"]
    return [
        SimpleNamespace(
            at=at(21 - i // 3, 9 + i % 9, 12 + i),
            email=f"{people[i % 6]}@example.test",
            state=("paid", "paid", "processing", "failed", "flagged", "refunded")[i % 6],
            method=methods[i % 4],
            risk=(i * 17) % 100,
            amount=amounts[i % 6],
            reference=f"ord_{'k7Qm2xZp9RtV'[i % 6 :]}{i}",
        )
        for i in range(14)
    ]


def happenings() -> list[SimpleNamespace]:
    event = SimpleNamespace
    return [
        event(
            title="Dispute opened",
            detail="Reason given: fraudulent. Reply by 4 December 2026.",
            amount=euros(5831),
            actor="Stripe",
            at=at(20, 10, 4),
            href="/ops/states",
            state="disputed",
        ),
        event(
            title="Receipt 2026-0042 sent",
            detail="To amara.okafor@example.test",
            amount=None,
            actor="Worker",
            at=at(18, 9, 2),
            href=None,
            state=None,
        ),
        event(
            title="Payment succeeded",
            detail="Visa ending 4242, screened: no reason to hold.",
            amount=euros(5831),
            actor="Stripe",
            at=at(18, 9, 1),
            href="/ops/states",
            state="succeeded",
        ),
        event(
            title="Order placed",
            detail=None,
            amount=euros(5831),
            actor="Guest",
            at=at(18, 9, 0),
            href=None,
            state="pending",
        ),
    ]


def mrr() -> dict[str, Any]:
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov"]
    new = [320, 410, 380, 450, 520, 610, 590, 700, 720, 810, 460]
    grown = [40, 60, 55, 80, 90, 70, 110, 120, 95, 140, 80]
    lost = [-90, -80, -120, -100, -140, -130, -160, -150, -170, -180, -110]
    points = [(m, [a, b, c], m == "Nov") for m, a, b, c in zip(months, new, grown, lost, strict=True)]
    rows = [(m, *(f"€{v:,}.00".replace("€-", "−€") for v in values)) for m, values, _ in points]
    return {
        "points": points,
        "rows": rows,
        "ticks": [(v, f"€{v:,}".replace("€-", "−€")) for v in range(-200, 1001, 200)],
    }


def add_pages(app: Flask) -> None:
    pages = {
        "offers": "/",
        "books": "/books",
        "checkout": "/checkout",
        "result": "/checkout/return",
        "account": "/account",
        "sign_in": "/login",
        "ops": "/ops",
        "ops_order": "/ops/payments",
        "ops_metrics": "/ops/metrics",
        "ops_states": "/ops/states",
    }

    def show(name: str) -> Any:
        def page() -> Any:
            errors = {}
            if name == "sign_in" and "bad" in request.args:
                errors = {
                    "email": "Enter an email address like name@example.com",
                    "country": "Choose where you live",
                }
            nav = OPS_NAV if name.startswith("ops") else SHOP_NAV
            text = render_template(f"gallery/{name}.html", nav=nav, errors=errors, **material(name))
            return text, 422 if errors else 200

        return page

    for name, path in pages.items():
        app.add_url_rule(path, name, show(name))


def material(name: str) -> dict[str, Any]:
    chosen = request.args.get("to", "studio")
    return {
        "plans": plans(),
        "orders": orders(),
        "happenings": happenings(),
        "mrr": mrr(),
        "states": STATES,
        "euros": euros,
        "at": at,
        "chosen": chosen,
        "settled": "settled" in request.args,
        "Money": Money,
    }


def make_gallery() -> Flask:
    user = SimpleNamespace(is_authenticated=True, email="amara.okafor@example.test")
    app = make_app(user=user)
    app.jinja_loader = ChoiceLoader(
        [
            FileSystemLoader(app.root_path + "/templates"),
            PrefixLoader({"gallery": FileSystemLoader(HERE / "gallery_pages")}),
        ]
    )
    add_pages(app)

    @app.get("/live")
    def live() -> dict[str, str]:
        return {"payments": "119", "as_of": "as of 14:03 UTC"}

    @app.get("/checkout/state")
    def state() -> str:
        return render_template("gallery/_state.html", settled=True, **{"euros": euros})

    @app.errorhandler(404)
    def missing(_: Exception) -> tuple[str, int]:
        page = render_template(
            "errors/error.html",
            status=404,
            title="There is nothing at this address",
            what_happened="The page does not exist, or it is not yours to see.",
            money="No money was taken.",
            what_next="Check the address, or start from the front page.",
            reference="req_7Kd2mXq41T",
            action=("Go to the front page", "/"),
            nav=SHOP_NAV,
        )
        return page, 404

    @app.after_request
    def guard(response: Any) -> Any:
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return app


def main() -> None:
    server = make_server(
        "127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0, make_gallery(), threaded=True
    )
    print(f"http://localhost:{server.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
