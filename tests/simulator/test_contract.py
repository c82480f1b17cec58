"""The shapes read from the SDK: what they find wrong, and that every route has them."""

import pytest

from app.simulator import contract, registry, resources
from app.simulator.form import decode


def test_every_route_is_an_operation_of_the_sdk_or_declares_its_parameters():
    assert resources
    unknown = [
        f"{r.method} {r.template}"
        for r in registry.ROUTES
        if r.params is None and (r.method, r.template) not in contract.operations()
    ]
    assert unknown == []
    assert len(registry.ROUTES) == len({(r.method, r.template) for r in registry.ROUTES})


def test_every_resource_is_an_object_of_the_sdk():
    assert [name for name in registry.RESOURCES if contract.class_of(name) is None] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "param"),
    [
        ("POST", "/v1/checkout/sessions", "mode=payment&ui_mode=hosted", "ui_mode"),
        ("POST", "/v1/checkout/sessions", "line_items[0][quantity]=two", "line_items[0][quantity]"),
        (
            "POST",
            "/v1/checkout/sessions",
            "line_items[0][price_data][unit_amount]=5",
            "line_items[0][price_data][currency]",
        ),
        ("POST", "/v1/checkout/sessions", "automatic_tax=true", "automatic_tax"),
        ("POST", "/v1/checkout/sessions", "allow_promotion_codes=yes", "allow_promotion_codes"),
        ("POST", "/v1/coupons", "percent_off=lots", "percent_off"),
        ("POST", "/v1/coupons", "percent_off=1e999999", "percent_off"),
        ("POST", "/v1/customers", "metadata=x", "metadata"),
        ("POST", "/v1/customers", "preferred_locales=en", "preferred_locales"),
        ("GET", "/v1/events", "created[after]=1", "created[after]"),
        ("POST", "/v1/webhook_endpoints", "url=http://x&enabled_events[0]=order.paid", "enabled_events[0]"),
    ],
)
def test_wrong_parameters(method, path, body, param):
    with pytest.raises(contract.ParamProblem) as caught:
        contract.read_params(method, path, decode(body.encode()))
    assert caught.value.param == param


def test_right_parameters_come_in_their_own_types():
    params = contract.read_params(
        "POST",
        "/v1/prices",
        decode(b"currency=usd&unit_amount=500&active=false&product=prod_1&metadata[0]=a"),
    )
    assert params == {
        "currency": "usd",
        "unit_amount": 500,
        "active": False,
        "product": "prod_1",
        "metadata": {"0": "a"},
    }


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"amount": "1"}, "amount"),
        ({"charges": {}}, "charges"),
        ({"status": "paid"}, "status"),
        ({"livemode": None}, "livemode"),
    ],
)
def test_answers_that_are_not_stripes(shop, change, word):
    intent = shop.v1.payment_intents.create(params={"amount": 100, "currency": "usd"}).to_dict()
    assert contract.answer_problems(intent) == []
    assert any(word in p for p in contract.answer_problems(intent | change))
    assert contract.answer_problems({"object": "nonsense"}) != []
    assert contract.answer_problems({"object": "list", "data": [intent | change]}) != []
