"""Lists of networks: `high_risk` flags an order, `refuse` turns a request away."""

from __future__ import annotations

import ipaddress

from sqlalchemy import select

from app import audit
from app.extensions import db
from app.models import ListEntry

LISTS = ("high_risk", "refuse")


def on(address: str) -> set[str]:
    """The names of the lists that hold this address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return set()
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    rows = db.session.execute(select(ListEntry.list_name, ListEntry.network))
    return {name for name, network in rows if ip in ipaddress.ip_network(network)}


def add(list_name: str, network: str, *, actor: str, note: str = "") -> str:
    """Put a network, such as `203.0.113.0/24`, on a list. Raises ValueError where either is not one."""
    if list_name not in LISTS:
        raise ValueError(f"there is no list “{list_name}”; use {' or '.join(LISTS)}")
    canonical = str(ipaddress.ip_network(network.strip(), strict=False))
    known = db.session.scalar(
        select(ListEntry).where(ListEntry.list_name == list_name, ListEntry.network == canonical)
    )
    if known is None:
        db.session.add(ListEntry(list_name=list_name, network=canonical, note=note))
        audit.record("fraud.list_add", list_name, actor=actor, network=canonical)
    return canonical
