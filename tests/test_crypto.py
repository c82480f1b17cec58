"""Field encryption: unreadable at rest, readable through a rotation of keys, searchable by a hash that stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import scoped_session

from app import crypto
from app.config import LOCAL_FIELD_KEY
from app.extensions import mean_to_write
from app.models import Customer
from app.models.customer import email_hash
from tests.infra import databases

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture(autouse=True)
def _keys() -> Iterator[None]:
    crypto.use_keys((OLD,))
    yield
    crypto.use_keys((LOCAL_FIELD_KEY,))


@databases.both
def test_a_field_is_unreadable_where_it_lies(db_session: scoped_session) -> None:
    crypto.use_keys((OLD,))
    mean_to_write()
    customer = Customer(livemode=False, name="Bo Buyer")
    customer.write_email("  Bo@Example.com ")
    db_session.add(customer)
    db_session.commit()
    row = db_session.execute(text("SELECT email, name, email_hash FROM customers")).one()
    assert b"example" not in bytes(row.email).lower()
    assert b"Bo Buyer" not in bytes(row.name)
    db_session.expire_all()
    found = db_session.scalars(
        select(Customer).where(Customer.email_hash == email_hash("bo@example.COM."))
    ).one()
    assert (found.email, found.name) == ("Bo@Example.com", "Bo Buyer")


@databases.both
def test_a_rotation_reads_the_old_writes_the_new_and_finds_both(db_session: scoped_session) -> None:
    mean_to_write()
    crypto.use_keys((OLD,))
    before = Customer(livemode=False)
    before.write_email("before@example.com")
    db_session.add(before)
    db_session.commit()
    crypto.use_keys((NEW, OLD))
    after = Customer(livemode=False)
    after.write_email("after@example.com")
    db_session.add(after)
    db_session.commit()
    db_session.expire_all()
    for address in ("before@example.com", "after@example.com"):
        found = db_session.scalars(select(Customer).where(Customer.email_hash == email_hash(address))).one()
        assert found.email == address
    raw = bytes(db_session.execute(text("SELECT email FROM customers ORDER BY id DESC LIMIT 1")).scalar_one())
    assert Fernet(NEW).decrypt(raw) == b"after@example.com"
    db_session.expire_all()
    crypto.use_keys((NEW,))  # the old key removed too early
    with pytest.raises(crypto.UnreadableField, match="removed too early"):
        _ = before.email


def test_hashes_stay_through_a_rotation_and_depend_on_the_key() -> None:
    first = crypto.lookup("bo@example.com")
    crypto.use_keys((NEW, OLD))
    assert crypto.lookup("bo@example.com") == first
    crypto.use_keys((OTHER,))
    assert crypto.lookup("bo@example.com") != first
    assert len(first) == 64
    assert "bo" not in first


@given(st.binary(max_size=500))
def test_what_is_encrypted_is_decrypted_and_never_twice_the_same(plain: bytes) -> None:
    first, second = crypto.encrypt(plain), crypto.encrypt(plain)
    assert first != second
    assert crypto.decrypt(first) == crypto.decrypt(second) == plain


@given(st.binary(max_size=200))
def test_what_we_did_not_write_is_refused(token: bytes) -> None:
    with pytest.raises(crypto.UnreadableField):
        crypto.decrypt(token)


def test_one_changed_bit_is_noticed() -> None:
    token = bytearray(crypto.encrypt(b"a secret"))
    token[len(token) // 2] ^= 1
    with pytest.raises(crypto.UnreadableField):
        crypto.decrypt(bytes(token))


def test_nothing_is_encrypted_before_there_are_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "_ring", None)
    for verb in (crypto.encrypt, crypto.decrypt):
        with pytest.raises(RuntimeError, match="was not created"):
            verb(b"x")


@pytest.mark.parametrize(
    "spelling", ["bo@example.com", "BO@example.com", " bo@Example.Com ", "bo@example.com."]
)
def test_spellings_of_an_address_are_one(spelling: str) -> None:
    assert email_hash(spelling) == email_hash("bo@example.com")


def test_public_ids_are_random_and_of_letters_nobody_mistakes() -> None:
    ids = {crypto.public_id("ord") for _ in range(2000)}
    assert len(ids) == 2000
    assert {len(found) for found in ids} == {28}
    letters = set("".join(found.removeprefix("ord_") for found in ids))
    assert letters == set(crypto.ALPHABET)
    assert not letters & set("ILOilo_-")


def test_a_token_is_stored_as_its_hash() -> None:
    assert crypto.token_hash("secret") == crypto.token_hash("secret") != crypto.token_hash("secret ")
    assert len(crypto.token_hash("")) == 64
