"""Webhook endpoints: /v1/webhook_endpoints."""

from __future__ import annotations

from urllib.parse import urlsplit

from app.simulator import versions
from app.simulator.errors import invalid
from app.simulator.fields import merged, plain, unset
from app.simulator.listing import lists, retrieves
from app.simulator.registry import Doc, Resource, route
from app.simulator.transaction import Transaction

webhook_endpoint = Resource(
    "webhook_endpoint", "we_", label="webhook endpoint", index=("status",), absent=frozenset({"secret"})
)
retrieves("webhook_endpoint", "/v1/webhook_endpoints/{webhook_endpoint}")
lists("webhook_endpoint", "/v1/webhook_endpoints")


@route("POST", "/v1/webhook_endpoints")
def create(tx: Transaction, params: Doc) -> Doc:
    """An endpoint; its secret is shown in this answer only."""
    version = params.get("api_version")
    if version and not versions.known(version):
        raise invalid(f"Invalid API version: {version}", "api_version")
    doc = new_endpoint(tx, params)
    return doc | {"secret": doc["_secret"]}


def new_endpoint(tx: Transaction, params: Doc, *, secret: str | None = None) -> Doc:
    """Store an endpoint, with a given secret when one was configured at start."""
    _check_url(params["url"])
    return tx.create(
        "webhook_endpoint",
        {
            "api_version": params.get("api_version"), "description": unset(params.get("description", "")),
            "enabled_events": params["enabled_events"], "metadata": plain(params.get("metadata")),
            "status": "enabled", "url": params["url"], "_secret": secret or tx.new_id("whsec_"),
        },
    )  # fmt: skip


@route("POST", "/v1/webhook_endpoints/{webhook_endpoint}")
def update(tx: Transaction, params: Doc, webhook_endpoint: str) -> Doc:
    """Change address, events, description, or switch it off and on."""
    doc = tx.find("webhook_endpoint", webhook_endpoint)
    changes: Doc = {k: unset(params[k]) for k in ("url", "enabled_events", "description") if k in params}
    if "url" in changes:
        _check_url(changes["url"])
    if "disabled" in params:
        changes["status"] = "disabled" if params["disabled"] else "enabled"
    tx.update(doc, changes | {"metadata": merged(doc, params)})
    return doc


@route("DELETE", "/v1/webhook_endpoints/{webhook_endpoint}")
def delete(tx: Transaction, params: Doc, webhook_endpoint: str) -> Doc:
    """Delete an endpoint; what it has not taken is never sent."""
    doc = tx.find("webhook_endpoint", webhook_endpoint)
    tx.sql.execute(
        "UPDATE deliveries SET state = 'dropped' WHERE endpoint = ? AND state = 'pending'",
        (webhook_endpoint,),
    )
    return tx.delete(doc)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https"):
        raise invalid(
            "Invalid URL: An explicit scheme (such as https) must be provided.", "url", "url_invalid"
        )
