"""The front door of the API: keys, versions, parameters, idempotency, lists, expansion."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from tests.infra import wait


@pytest.mark.parametrize(
    ("header", "status", "said"),
    [
        ({}, 401, "You did not provide an API key."),
        ({"Authorization": "Bearer "}, 401, "You did not provide an API key."),
        ({"Authorization": "Bearer nonsense"}, 401, "Invalid API Key provided: nonsense"),
        ({"Authorization": "Bearer sk_live_51abcdefghijk"}, 401, "Live keys are not accepted"),
        ({"Authorization": "Bearer rk_live_51abcdefghijk"}, 401, "Live keys are not accepted"),
        ({"Authorization": "Basic ???"}, 401, "You did not provide an API key."),
        ({"Authorization": "Bearer sk_test_x", "Stripe-Account": "acct_other"}, 403, "does not have access"),
        ({"Authorization": "Bearer sk_test_x"}, 200, None),
        ({"Authorization": "Bearer rk_test_x"}, 200, None),
        ({"Authorization": "Basic " + base64.b64encode(b"sk_test_x:").decode()}, 200, None),
    ],
)
def test_keys(simulator, header, status, said):
    answer = simulator.ask("GET", "/v1/customers", headers=header)
    assert answer.status == status
    assert answer.headers["Request-Id"].startswith("req_")
    assert "Set-Cookie" not in answer.headers
    if said:
        assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("version", "status"),
    [
        (None, 200),
        (stripe.api_version, 200),
        ("2020-08-27", 200),
        ("2024-09-30.acacia", 200),
        ("2025-03-31.basil", 200),
        ("2025-03-31.acacia", 400),
        ("2099-01-01", 400),
        ("2099-01-01.future", 400),
        ("yesterday", 400),
    ],
)
def test_versions(simulator, version, status):
    answer = simulator.api("GET", "/v1/customers", version=version)
    assert answer.status == status
    assert answer.headers["Stripe-Version"] == (version if status == 200 and version else stripe.api_version)


def test_old_spellings_are_translated_and_refused_when_pinned(simulator):
    body = {"amount": 2000, "currency": "usd", "payment_method_types[0]": "card"}
    assert simulator.api("POST", "/v1/payment_intents", body, version=None).status == 200
    assert simulator.api("POST", "/v1/payment_intents", body, version="2022-11-15").status == 200
    refused = simulator.api("POST", "/v1/payment_intents", body)
    assert refused.status == 400
    assert refused.json()["error"]["code"] == "payment_method_types_no_longer_supported"


RECORDED = [
    ("GET", "/v1/customers?limit=abc", {}, "parameter_invalid_integer", "limit", "Invalid integer: abc"),
    ("GET", "/v1/customers?wat=x", {}, "parameter_unknown", "wat", "Received unknown parameter: wat"),
    ("POST", "/v1/customers", {"invoice_settings[nope]": "x"}, "parameter_unknown", "invoice_settings[nope]",
     "Received unknown parameter: invoice_settings[nope]"),
    ("POST", "/v1/refunds", {"charge": "ch_1", "reason": "expired_uncaptured_charge"}, None, "reason",
     "Invalid reason: must be one of duplicate, fraudulent, or requested_by_customer"),
    ("POST", "/v1/refunds", {"payment_intent": "pi_1", "amount": "5.00"}, "parameter_invalid_integer", "amount",
     "Invalid integer: 5.00"),
    ("POST", "/v1/prices", {"currency": "usd", "unit_amount": "1", "recurring[interval]": "fortnight"}, None,
     "recurring[interval]", "Invalid recurring[interval]: must be one of day, month, week, or year"),
    ("POST", "/v1/webhook_endpoints", {"enabled_events[0]": "*"}, "parameter_missing", "url",
     "Missing required param: url."),
    ("GET", "/v1/charges/ch_none", {}, "resource_missing", "charge", "No such charge: 'ch_none'"),
    ("POST", "/v1/payment_intents", {"amount": "100", "currency": "usd", "customer": "cus_none"}, "resource_missing",
     "customer", "No such customer: 'cus_none'"),
    ("GET", "/v1/customers?starting_after=cus_none", {}, "resource_missing", "starting_after",
     "No such customer: 'cus_none'"),
    ("GET", "/v1/nothing", {}, None, None, "Unrecognized request URL (GET: /v1/nothing). Please see https://stripe.com/"
     "docs or we can help at https://support.stripe.com/."),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "code", "param", "message"), RECORDED)
def test_refusals_in_stripes_words(simulator, method, path, body, code, param, message):
    answer = simulator.api(method, path, body)
    assert answer.status == (404 if "/ch_none" in path or "/nothing" in path else 400)
    error = answer.json()["error"]
    assert (error.get("code"), error.get("param"), error["message"]) == (code, param, message)
    assert error["type"] == "invalid_request_error"
    assert answer.headers["Request-Id"] in error["request_log_url"]


def test_empty_string_cannot_unset_everything(simulator):
    answer = simulator.api("POST", "/v1/checkout/sessions", {"customer": ""})
    assert answer.json()["error"]["code"] == "parameter_invalid_empty"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"name=%ff%fe", 400),
        (b"\xff\xfe", 400),
        (b"name=a%00b", 400),
        (b"metadata" + b"[a]" * 40 + b"=1", 400),
        (b"&".join(b"metadata[k%d]=1" % i for i in range(6000)), 400),
        (b"&".join(b"metadata[k%d]=1" % i for i in range(51)), 400),
        (b"metadata[" + b"k" * 41 + b"]=1", 400),
        (b"metadata[k]=" + b"v" * 501, 400),
        (b"name=a&name[b]=c", 400),
        (b"metadata[99999999999999999999]=1", 200),
        (b"balance=" + b"9" * 5000, 400),
        (b"description=" + b"x" * 1_100_000, 413),
        (b"description=" + b"x" * 10_000_000, 413),
        (b"", 200),
    ],
)
def test_hostile_bodies_are_refused_never_broken(simulator, body, status):
    assert simulator.api("POST", "/v1/customers", body).status == status


def test_a_key_replays_the_first_answer_byte_for_byte(simulator):
    body = {"email": "a@example.com", "metadata[a]": "1"}
    first = simulator.api("POST", "/v1/customers", body, Idempotency_Key="k1")
    second = simulator.api("POST", "/v1/customers", dict(reversed(body.items())), Idempotency_Key="k1")
    assert (second.status, second.body) == (first.status, first.body)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Original-Request"] == first.headers["Request-Id"]
    assert first.headers.get("Idempotent-Replayed") is None
    assert first.headers["Idempotency-Key"] == "k1"


def test_a_key_with_other_parameters_is_refused(simulator, stripe_client):
    stripe_client.v1.customers.create(params={"name": "A"}, options={"idempotency_key": "k2"})
    with pytest.raises(stripe.IdempotencyError) as caught:
        stripe_client.v1.customers.create(params={"name": "B"}, options={"idempotency_key": "k2"})
    assert caught.value.user_message == (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        "Try using a key other than 'k2' if you meant to execute a different request."
    )


def test_refusals_before_execution_do_not_use_up_a_key(simulator):
    assert simulator.api("POST", "/v1/customers", {"nope": "1"}, Idempotency_Key="k3").status == 400
    assert simulator.api("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k3").status == 200


def test_a_decline_is_replayed_with_its_charge(simulator, shop):
    body = {"amount": 2000, "currency": "usd", "confirm": "true", "payment_method": "pm_card_chargeDeclined"}
    first = simulator.api("POST", "/v1/payment_intents", body, Idempotency_Key="k4")
    second = simulator.api("POST", "/v1/payment_intents", body, Idempotency_Key="k4")
    assert first.status == second.status == 402
    assert first.body == second.body
    assert len(shop.v1.charges.list().data) == 1


def test_a_key_in_flight_is_refused(simulator):
    simulator.control("fail", kind="delay", seconds=0.1, method="POST", path="/v1/customers", times=0)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: simulator.api("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k5"),
                range(8),
            )
        )
    assert {a.status for a in answers} <= {200, 409}
    assert len({a.json()["id"] for a in answers if a.status == 200}) == 1
    assert all(a.json()["error"]["code"] == "idempotency_key_in_use" for a in answers if a.status == 409)


def test_a_key_is_forgotten_after_a_day(simulator):
    first = simulator.api("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k6").json()
    simulator.control("clock", advance=86_400 + 5)
    assert (
        simulator.api("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k6").json()["id"]
        != first["id"]
    )


def test_pages_of_a_list(shop):
    made = [shop.v1.customers.create(params={"name": str(i)}).id for i in range(12)]
    newest = made[::-1]
    page = shop.v1.customers.list()
    assert [c.id for c in page.data] == newest[:10]
    assert page.has_more
    after = shop.v1.customers.list(params={"limit": 3, "starting_after": newest[3]})
    assert [c.id for c in after.data] == newest[4:7]
    before = shop.v1.customers.list(params={"limit": 3, "ending_before": newest[5]})
    assert [c.id for c in before.data] == newest[2:5]
    assert [c.id for c in shop.v1.customers.list(params={"limit": 5}).auto_paging_iter()] == newest
    for limit in (0, 101):
        with pytest.raises(stripe.InvalidRequestError):
            shop.v1.customers.list(params={"limit": limit})
    with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
        shop.v1.customers.list(params={"starting_after": made[0], "ending_before": made[1]})


def test_lists_filter_by_field_and_time(shop):
    one = shop.v1.customers.create(params={"email": "one@example.com"})
    shop.v1.customers.create(params={"email": "two@example.com"})
    assert [c.id for c in shop.v1.customers.list(params={"email": "one@example.com"}).data] == [one.id]
    assert shop.v1.customers.list(params={"created": {"gt": one.created + 1000}}).data == []
    assert len(shop.v1.customers.list(params={"created": {"lte": one.created + 1000}}).data) == 2
    assert len(shop.v1.customers.list(params={"created": {"gte": one.created}}).data) == 2


def test_expansion(shop):
    session = shop.session()
    shop.pay(session)
    whole = shop.again(
        session, "payment_intent.latest_charge.refunds", "line_items.data.price.product", "customer"
    )
    charge = whole.payment_intent.latest_charge
    assert charge.object == "charge"
    assert charge.refunds.data == []
    assert whole.line_items.data[0].price.product.object == "product"
    assert "refunds" not in shop.v1.charges.retrieve(charge.id)
    listed = shop.v1.payment_intents.list(params={"expand": ["data.latest_charge"]})
    assert listed.data[0].latest_charge.id == charge.id


@pytest.mark.parametrize(
    ("path", "expand"),
    [
        ("/v1/payment_intents", "latest_charge"),
        ("/v1/payment_intents", "data.charges"),
        ("/v1/payment_intents", "data"),
        ("/v1/payment_intents/{intent}", "charges"),
        ("/v1/payment_intents/{intent}", "status"),
        ("/v1/payment_intents/{intent}", "latest_charge.a.b.c.d"),
    ],
)
def test_what_cannot_be_expanded(simulator, shop, path, expand):
    intent = shop.v1.payment_intents.create(params={"amount": 100, "currency": "usd"})
    answer = simulator.api("GET", path.format(intent=intent.id) + f"?expand[]={expand}")
    assert answer.status == 400
    assert "expand" in answer.json()["error"]["message"]


def test_every_request_is_written_down(simulator, shop):
    shop.v1.customers.create(params={"name": "A"}, options={"idempotency_key": "seen"})
    entry = wait.until(lambda: simulator.requests(), "a request is logged")[0]
    assert entry["method"] == "POST"
    assert entry["path"] == "/v1/customers"
    assert entry["params"] == {"name": "A"}
    assert entry["idempotency_key"] == "seen"
    assert entry["status"] == 200
    assert entry["version"] == stripe.api_version


def test_only_loopback_names_are_answered(simulator):
    for host, status in (
        ("evil.example", 421),
        (f"localhost:{simulator.port}", 200),
        ("shop.localhost", 200),
    ):
        assert simulator.ask("GET", "/_sim/health", headers={"Host": host}).status == status


def test_a_page_elsewhere_cannot_turn_the_knobs(simulator):
    answer = simulator.ask("POST", "/_sim/reset", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
