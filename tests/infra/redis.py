"""One Redis server for the whole test run, started on first use; it keeps nothing on disk."""

import socket
import subprocess

from tests.infra import ports, run, wait


def server() -> str:
    """The run's server as `redis://127.0.0.1:PORT`, started by whoever asks first."""
    with run.locked("redis") as home:
        note = home / "redis.url"
        if not note.exists():
            url, process = start()
            run.outlives(process)
            note.write_text(url)
        return note.read_text()


def start() -> tuple[str, subprocess.Popen]:
    """Start a server of one's own, to be stopped or frozen by a test; its address and process."""
    port = ports.reserve()
    process = run.spawn(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        run.OUT / "logs" / "redis.log",
        cwd=run.folder(),
    )
    wait.until(lambda: _answers(port), "Redis answers")
    return f"redis://127.0.0.1:{port}", process


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
