"""The funnel: seen, started, opened Checkout, paid, left; and where the order came from, without personal data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import structlog

from app.extensions import db
from app.models import FunnelStep, MetricRecord, Offer, Order, Step
from app.tasks import insert_or_ignore

log = structlog.get_logger("metrics")

CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")


def source_of(query: Mapping[str, str], referrer: str | None, own_host: str) -> dict[str, str]:
    """Campaign parameters and the referrer's host, cut short; nothing that names a person."""
    source = {key: query[key][:100] for key in CAMPAIGN if query.get(key)}
    try:
        host = urlsplit(referrer or "").hostname
    except ValueError:
        host = None
    if host and host != own_host:
        source["referrer"] = host[:100]
    return source


def seen(offer: Offer, source: dict[str, str]) -> None:
    """An offer's page was shown."""
    db.session.add(FunnelStep(step=Step.SEEN, offer_id=offer.id, source=source))


def reached(order: Order, step: Step) -> None:
    """The order reached a step."""
    db.session.add(FunnelStep(step=step, offer_id=order.offer_id, order_id=order.id, source=order.source))


def measure(name: str, key: str, **fields: Any) -> None:
    """Record one figure for the metrics surface, once per `key`, and say it in the log."""
    written = db.session.execute(
        insert_or_ignore(MetricRecord).values(name=name, key=f"{name}:{key}", fields=fields)
    )
    if written.rowcount == 1:  # type: ignore[attr-defined]  # an INSERT's result has it
        log.info(name, **fields)
