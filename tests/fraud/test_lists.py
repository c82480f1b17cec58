"""Lists of networks: which addresses they hold, however either is written."""

from __future__ import annotations

import ipaddress
import random

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import scoped_session

from app.extensions import db, mean_to_write
from app.fraud import lists
from app.models import AuditRow, ListEntry
from tests.infra import databases


def put(list_name: str, network: str) -> str:
    mean_to_write()
    canonical = lists.add(list_name, network, actor="operator")
    db.session.commit()
    return canonical


@databases.both
@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("203.0.113.0/24", ["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.9"], ["203.0.112.255", "::203.0.113.9"]),
        ("203.0.113.9", ["203.0.113.9", "::ffff:cb00:7109"], ["203.0.113.8", "203.0.113.10"]),
        ("203.0.113.9/24", ["203.0.113.200"], ["203.0.114.1"]),
        ("0.0.0.0/0", ["8.8.8.8", "::ffff:8.8.8.8"], ["2001:db8::1"]),
        ("2001:db8::/32", ["2001:db8::1", "2001:0DB8:FFFF::1", "2001:db8::1%eth0"], ["2001:db9::1", "203.0.113.9"]),
        ("2001:db8::5", ["2001:db8::5", "2001:db8:0:0::5"], ["2001:db8::6"]),
        ("::ffff:203.0.113.0/120", ["203.0.113.9", "::ffff:203.0.113.9"], ["203.0.114.9"]),
    ],
)  # fmt: skip
def test_a_network_holds_its_addresses(
    db_session: scoped_session, network: str, inside: list[str], outside: list[str]
) -> None:
    put("high_risk", network)
    for address in inside:
        assert lists.on(address) == {"high_risk"}, address
    for address in [*outside, "", "unknown", "203.0.113.9, 10.0.0.1", "203.0.113.9:80"]:
        assert lists.on(address) == set(), address


def test_an_address_on_both_lists_is_on_both(db_session: scoped_session) -> None:
    put("high_risk", "203.0.113.0/24")
    put("refuse", "203.0.113.9")
    assert lists.on("203.0.113.9") == {"high_risk", "refuse"}
    assert lists.on("203.0.113.8") == {"high_risk"}


def test_the_answer_is_the_one_of_looking_at_every_network(
    db_session: scoped_session, rng: random.Random
) -> None:
    """And however long the list, it is one statement."""
    networks = []
    for _ in range(300):
        version = rng.choice([ipaddress.IPv4Address, ipaddress.IPv6Address])
        width = 32 if version is ipaddress.IPv4Address else 128
        length = rng.randint(width // 4, width)
        networks.append(ipaddress.ip_network(f"{version(rng.getrandbits(width))}/{length}", strict=False))
    mean_to_write()
    for network in set(networks):
        db.session.add(ListEntry(list_name="high_risk", network=str(network)))
    db.session.commit()
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    addresses = [network[rng.randrange(min(network.num_addresses, 2**62))] for network in networks[:50]]
    addresses += [ipaddress.IPv4Address(rng.getrandbits(32)) for _ in range(50)]
    for address in addresses:
        wanted = any(address in network for network in networks if network.version == address.version)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            continue
        assert (lists.on(str(address)) == {"high_risk"}) is wanted, address
    assert len([statement for statement in statements if "list_entries" in statement]) == len(addresses)


def test_a_network_is_put_once_in_one_spelling_and_audited(db_session: scoped_session) -> None:
    spellings = ["203.0.113.0/24", " 203.0.113.7/24 ", "203.0.113.0/255.255.255.0", "::ffff:203.0.113.0/120"]
    assert {put("refuse", spelling) for spelling in spellings} == {"203.0.113.0/24"}
    assert len(db_session.scalars(select(ListEntry)).all()) == 1
    (row,) = db_session.scalars(select(AuditRow)).all()
    assert (row.action, row.subject, row.details) == (
        "fraud.list_add", "refuse", {"network": "203.0.113.0/24"},
    )  # fmt: skip


@pytest.mark.parametrize("network", ["", "example.com", "203.0.113.0/33", "203.0.113", "2001:db8::/129", "*"])
def test_what_is_no_network_is_not_listed(db_session: scoped_session, network: str) -> None:
    with pytest.raises(ValueError):
        lists.add("refuse", network, actor="operator")
    with pytest.raises(ValueError, match="there is no list"):
        lists.add("everybody", "203.0.113.0/24", actor="operator")


def test_the_command_puts_networks_on_lists(app, db_session: scoped_session) -> None:
    runner = app.test_cli_runner()
    done = runner.invoke(args=["fraud", "list-add", "high_risk", "203.0.113.9/24", "--note", "exit nodes"])
    assert (done.exit_code, done.output) == (0, "203.0.113.0/24 is on high_risk.\n")
    refused = runner.invoke(args=["fraud", "list-add", "high_risk", "nonsense"])
    assert refused.exit_code == 1
    assert "is not a network" in refused.output
    assert lists.on("203.0.113.1") == {"high_risk"}
