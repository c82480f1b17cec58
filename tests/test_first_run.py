"""`make run` as a newcomer types it: it opens, Ctrl-C closes it, and a second start finds what was there."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.infra import ports, run, wait

OPEN = "Countinghouse is open at"


class FirstRun:
    """One `make run` on ports and a database of its own."""

    def __init__(self, place: Path, web: int, simulator: int) -> None:
        self.place, self.web, self.simulator = place, web, simulator
        self.log = place / "run.log"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        environ = {
            "APP_ENV": "local",
            "DATABASE_URL": f"sqlite:///{self.place / 'shop.db'}",
            "SIMULATOR_DATABASE": str(self.place / "simulator.db"),
            "WEB_BIND": f"127.0.0.1:{self.web}",
            "WEB_WORKERS": "1",
            "PUBLIC_URL": f"http://localhost:{self.web}",
            "STRIPE_API_BASE": f"http://127.0.0.1:{self.simulator}",
        }
        self.log.unlink(missing_ok=True)
        self.process = run.spawn(["make", "run"], self.log, cwd=run.ROOT, env={**os.environ, **environ})

    def said(self) -> str:
        return self.log.read_text()

    def opened(self) -> bool:
        assert self.process.poll() is None, f"make run ended at its start:\n{self.said()}"
        return OPEN in self.said()

    def interrupt(self) -> None:
        """Ctrl-C: the terminal signals the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(20)

    def alive(self) -> list[str]:
        """Processes of its session that still run."""
        listed = subprocess.run(
            ["ps", "-o", "stat=,args=", "-s", str(self.process.pid)], capture_output=True, text=True
        )
        return [line for line in listed.stdout.splitlines() if not line.startswith("Z")]


@pytest.fixture
def first_run(tmp_path: Path) -> Iterator[FirstRun]:
    one = FirstRun(tmp_path, ports.reserve(), ports.reserve())
    yield one
    if one.process is not None:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)
            one.process.wait()
        run.ended(one.process)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_make_run_opens_closes_and_keeps_its_data(
    first_run: FirstRun, record_testsuite_property: Callable[[str, object], None]
):
    began = time.monotonic()
    first_run.start()
    wait.until(first_run.opened, "make run says it is open", seconds=40)
    record_testsuite_property("make_run_ready_seconds", round(time.monotonic() - began, 1))
    said = first_run.said()
    for word in (f"http://localhost:{first_run.web}", "4242 4242 4242 4242", "/dev/mail", "Ctrl-C"):
        assert word in said
    with urllib.request.urlopen(f"http://localhost:{first_run.web}/", timeout=10) as answer:
        assert answer.status == 200

    engine = sa.create_engine(f"sqlite:///{first_run.place / 'shop.db'}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        offers = connection.execute(sa.text("SELECT id, slug FROM offers ORDER BY id")).all()
        connection.execute(sa.text("UPDATE shop SET clock_offset_seconds = 60"))
    assert offers

    first_run.interrupt()
    wait.until(lambda: not first_run.alive(), f"everything stopped: {first_run.alive()}")
    assert not _listening(first_run.web) and not _listening(first_run.simulator)
    run.ended(first_run.process)

    first_run.start()
    wait.until(first_run.opened, "make run says it is open again", seconds=40)
    with engine.begin() as connection:
        assert connection.execute(sa.text("SELECT id, slug FROM offers ORDER BY id")).all() == offers
        assert connection.execute(sa.text("SELECT clock_offset_seconds FROM shop")).scalar() == 60
    first_run.interrupt()


@pytest.mark.parametrize("busy", ["web", "simulator"])
def test_a_busy_port_is_named(first_run: FirstRun, busy: str):
    port = getattr(first_run, busy)
    with socket.create_server(("127.0.0.1", port)):
        first_run.start()
        assert first_run.process.wait(30) != 0
    assert f"Port {port}" in first_run.said() and "in use" in first_run.said()
    assert "Traceback" not in first_run.said()
