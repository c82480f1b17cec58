"""Lists of networks: `high_risk` flags an order, `refuse` turns a request away."""

from __future__ import annotations

import ipaddress

from sqlalchemy import select

from app import audit
from app.extensions import db
from app.fraud.signals import read_address
from app.models import ListEntry

LISTS = ("high_risk", "refuse")


def on(address: str) -> set[str]:
    """The names of the lists that hold this address. However long the lists, it is one look by key."""
    ip = read_address(address)
    if ip is None:
        return set()
    around = [
        str(ipaddress.ip_network(f"{ip}/{length}", strict=False)) for length in range(ip.max_prefixlen + 1)
    ]
    query = select(ListEntry.list_name).where(ListEntry.list_name.in_(LISTS), ListEntry.network.in_(around))
    return set(db.session.scalars(query))


def add(list_name: str, network: str, *, actor: str, note: str = "") -> str:
    """Put a network, such as `203.0.113.0/24`, on a list. Raises ValueError where either is not one."""
    if list_name not in LISTS:
        raise ValueError(f"there is no list “{list_name}”; use {' or '.join(LISTS)}")
    canonical = _canonical(network)
    known = db.session.scalar(
        select(ListEntry).where(ListEntry.list_name == list_name, ListEntry.network == canonical)
    )
    if known is None:
        db.session.add(ListEntry(list_name=list_name, network=canonical, note=note))
        audit.record("fraud.list_add", list_name, actor=actor, network=canonical)
    return canonical


def _canonical(network: str) -> str:
    """The network's one spelling; as IPv4 where IPv6 only wraps it, as addresses are read."""
    found = ipaddress.ip_network(network.strip(), strict=False)
    if isinstance(found, ipaddress.IPv6Network):
        wrapped = found.network_address.ipv4_mapped
        if wrapped and found.prefixlen >= 96:
            return str(ipaddress.ip_network(f"{wrapped}/{found.prefixlen - 96}"))
    return str(found)
