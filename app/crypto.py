"""Encrypted columns, searchable hashes, tokens and public ids. Keys come from FIELD_KEYS and SECRET_KEY."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_ring: MultiFernet | None = None
_hash_key = b""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"


class UnreadableField(ValueError):
    """A stored field was encrypted with a key that is not in FIELD_KEYS."""


def use_keys(field_keys: tuple[str, ...]) -> None:
    """Encrypt with the first key, read with any; the last key also keys the searchable hashes.

    Rotation puts the new key first and keeps the last one in place, because hashes stay keyed by it.
    """
    global _ring, _hash_key
    _ring = MultiFernet([Fernet(key) for key in field_keys])
    _hash_key = hmac.digest(field_keys[-1].encode(), b"countinghouse/lookup", "sha256")


def encrypt(plain: bytes) -> bytes:
    if _ring is None:
        raise RuntimeError("use_keys() has not run: the application was not created")
    return _ring.encrypt(plain)


def decrypt(token: bytes) -> bytes:
    if _ring is None:
        raise RuntimeError("use_keys() has not run: the application was not created")
    try:
        return _ring.decrypt(token)
    except InvalidToken as error:
        raise UnreadableField(
            "no key in FIELD_KEYS opens this field; was a key removed too early?"
        ) from error


def lookup(value: str) -> str:
    """A keyed hash by which an encrypted value can be found again: 64 hex digits."""
    return hmac.new(_hash_key, value.encode(), hashlib.sha256).hexdigest()


def normal_email(address: str) -> str:
    """The one form by which two spellings of an address are the same."""
    return address.strip().rstrip(".").casefold()


def public_id(prefix: str) -> str:
    """A random id such as `ord_7Kd…`: 24 characters of 54, about 138 bits."""
    return prefix + "_" + "".join(secrets.choice(ALPHABET) for _ in range(24))


def token_hash(token: str) -> str:
    """What is stored of a random token that somebody else holds."""
    return hashlib.sha256(token.encode()).hexdigest()


class EncryptedBytes(TypeDecorator[bytes]):
    """Bytes that are ciphertext at rest."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else encrypt(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else decrypt(bytes(value))


class EncryptedText(TypeDecorator[str]):
    """Text that is ciphertext at rest."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else encrypt(value.encode())

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else decrypt(bytes(value)).decode()
