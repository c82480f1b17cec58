"""Signals: what a request tells, derived so that a stored decision replays without personal data."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import asdict, dataclass, fields
from typing import Any

from flask import Request, session

from app.crypto import lookup, token_hash


@dataclass
class Signals:
    """`network_hash` stands for the client's /24 or /64; `high_risk` for that network being on the list."""

    visitor_hash: str
    network_hash: str
    high_risk: bool = False
    user_agent_length: int = 0
    languages: int = 0
    # filled in by the screen
    usd_cents: int | None = 0
    recent_payments: int = 0

    def stored(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> Signals:
        """The signals of a stored decision, also of one that an older or newer release made."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})


def network_of(address: str) -> str:
    """The network an address stands for: its /24, or its /64 in IPv6. Unreadable: itself."""
    ip = read_address(address)
    if ip is None:
        return address
    return str(ipaddress.ip_network(f"{ip}/{24 if ip.version == 4 else 64}", strict=False))


def read_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address without a zone, and as IPv4 where IPv6 only wraps it; None where it is none."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def visitor_hash() -> str:
    """The hash of this browser's own secret, drawn at its first visit."""
    if "visitor" not in session:
        session["visitor"] = secrets.token_urlsafe(24)
    return token_hash(session["visitor"])


def read(request: Request, *, high_risk: bool) -> Signals:
    """The request's signals; whatever a client claims about itself beyond these is ignored."""
    return Signals(
        visitor_hash=visitor_hash(),
        network_hash=lookup("network:" + network_of(request.remote_addr or "")),
        high_risk=high_risk,
        user_agent_length=min(len(request.user_agent.string), 8192),
        languages=min(len(list(request.accept_languages)), 99),
    )
