"""Subscriptions: /v1/subscriptions."""

from __future__ import annotations

from app.simulator.registry import Resource

subscription = Resource(
    "subscription",
    "sub_",
    index=("customer", "test_clock", "schedule"),
    absent=frozenset({"presentment_details"}),
)
