"""Servers of the run as fixtures; nothing starts before a test asks for it."""

import socket
from urllib.parse import urlsplit

import pytest

from tests.infra import postgres, redis


@pytest.fixture
def postgres_server() -> postgres.Postgres:
    """The run's PostgreSQL server; make databases of your own on it and drop them."""
    return postgres.server()


@pytest.fixture
def redis_url(worker: str) -> str:
    """An empty database on the run's Redis server, no other process's."""
    number = int(worker.removeprefix("gw")) if worker.startswith("gw") else 0
    url = f"{redis.server()}/{number}"
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        connection.sendall(f"SELECT {number}\r\nFLUSHDB\r\n".encode())
        answered = b""
        while answered.count(b"\r\n") < 2:
            answered += connection.recv(64)
    return url
