"""A running shop: Stripe simulator, web and worker as processes of their own, as a merchant runs them."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import count
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import sqlalchemy as sa

from tests.infra import ports, run, wait

STRIPE_KEY = "sk_test_countinghouse_tests"
ROLES = ("simulator", "web", "worker")

# Every stack that runs in this process, so that a failing test can show the logs.
running: list["Stack"] = []
_visitors = count(1)


def address() -> dict[str, str]:
    """The header by which a visitor comes from an address nobody else has: limits count by address."""
    number = next(_visitors)
    return {"X-Forwarded-For": f"10.{os.getpid() % 256}.{number // 250 % 250}.{number % 250 + 1}"}


@dataclass
class Stack:
    """The three processes around one migrated database.

    `settings` are further environment variables for web and worker. With `measured` off the processes
    leave no coverage data: a test that kills them would count what it happened to reach.
    """

    name: str
    database_url: str
    folder: Path
    seed: int = 0
    workers: int = 1
    threads: int = 8
    measured: bool = True
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.web_port, self.simulator_port = ports.reserve(), ports.reserve()
        # `localhost`, not an address: passkeys refuse an address.
        self.base_url = f"http://localhost:{self.web_port}"
        self.simulator_url = f"http://127.0.0.1:{self.simulator_port}"
        self.webhook_secret = ""
        self.processes: dict[str, subprocess.Popen] = {}
        self.marks: dict[str, int] = {}
        self.engine = sa.create_engine(self.database_url, poolclass=sa.NullPool)
        self.folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> "Stack":
        running.append(self)
        try:
            self.start("simulator")
            self.webhook_secret = self.stripe(
                "/v1/webhook_endpoints", url=self.webhook_url, **{"enabled_events[]": "*"}
            )["secret"]
            self.flask("catalog", "push", "catalog.toml")
            self.start("web")
            self.start("worker")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_failure: object) -> None:
        for role in reversed(ROLES):
            self.stop(role)
        self.engine.dispose()
        running.remove(self)

    @property
    def webhook_url(self) -> str:
        return f"{self.base_url}/webhooks/stripe"

    def environment(self) -> dict[str, str]:
        """The environment of web, worker and commands."""
        inherited = {k: v for k, v in os.environ.items() if self.measured or not k.startswith("COVERAGE_")}
        return {
            **inherited,
            "APP_ENV": "local",
            "DATABASE_URL": self.database_url,
            "PUBLIC_URL": self.base_url,
            "STRIPE_SECRET_KEY": STRIPE_KEY,
            "STRIPE_API_BASE": self.simulator_url,
            "STRIPE_WEBHOOK_SECRETS": json.dumps([self.webhook_secret] if self.webhook_secret else []),
            "SIMULATOR_PORT": str(self.simulator_port),
            "SIMULATOR_DATABASE": str(self.folder / "simulator.db"),
            "WEB_BIND": f"127.0.0.1:{self.web_port}",
            "WEB_WORKERS": str(self.workers),
            "WEB_THREADS": str(self.threads),
            "LOG_LEVEL": "INFO",
            # Every visitor comes from an address of their own, as in life; see `address`.
            "TRUSTED_PROXIES": "1",
            **self.settings,
        }

    def command(self, role: str) -> list[str]:
        python = sys.executable
        if role == "simulator":
            place = ["--port", str(self.simulator_port), "--database", str(self.folder / "simulator.db")]
            return [python, "-m", "app.simulator", *place, "--seed", str(self.seed), "--check"]
        if role == "web":
            return [python, "-m", "gunicorn", "-c", "python:app.gunicorn", "wsgi:app"]
        return [python, "-m", "flask", "--app", "wsgi", "worker"]

    def log(self, role: str) -> Path:
        return run.OUT / "logs" / self.name / f"{role}.log"

    def start(self, role: str) -> None:
        """Start the process and wait until it serves (the worker: until it says so in its log)."""
        log = self.log(role)
        if role not in self.marks:
            log.unlink(missing_ok=True)
            self.marks[role] = 0
        before = log.stat().st_size if log.exists() else 0
        self.processes[role] = run.spawn(self.command(role), log, cwd=run.ROOT, env=self.environment())
        ready = {
            "simulator": lambda: _answers(f"{self.simulator_url}/_sim/health"),
            "web": lambda: _answers(f"{self.base_url}/healthz"),
            "worker": lambda: b"worker_started" in log.read_bytes()[before:],
        }[role]
        wait.until(lambda: self._stands(role) and ready(), f"{role} is ready", seconds=30)

    def _stands(self, role: str) -> bool:
        if (code := self.processes[role].poll()) is not None:
            raise AssertionError(f"{role} ended with {code} at its start:\n{self.tail(role)}")
        return True

    def kill(self, role: str) -> None:
        """SIGKILL to the process and all it forked; nothing of it runs when this returns."""
        self._end(role, signal.SIGKILL)

    def stop(self, role: str) -> None:
        """Ask the process to end, as a deployment does; SIGKILL after ten seconds."""
        self._end(role, signal.SIGTERM)

    def restart(self, role: str) -> None:
        """Kill the process if it runs and start it on the same port."""
        self.kill(role)
        self.start(role)

    def _end(self, role: str, number: signal.Signals) -> None:
        process = self.processes.pop(role, None)
        if process is None:
            return
        # TERM goes to the leader, which tells its own; KILL to the whole group, which cannot be told.
        with suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        run.ended(process)

    def flask(self, *arguments: str) -> str:
        """Run `flask --app wsgi …` against this shop; its output. A failure raises with it."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            cwd=run.ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise AssertionError(f"flask {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def stripe(self, path: str, *, method: str = "POST", **fields: str) -> dict[str, Any]:
        """Ask the simulator directly, as Stripe's dashboard or another program would."""
        body = urlencode(fields).encode() if method == "POST" else None
        request = Request(
            self.simulator_url + path, body, {"Authorization": f"Bearer {STRIPE_KEY}"}, method=method
        )
        try:
            with urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except HTTPError as refusal:
            raise AssertionError(f"simulator refused {path}: {refusal.read().decode()}") from refusal

    def travel(self, seconds: int) -> None:
        """Move the clocks of Stripe and the shop ahead together; Stripe does what falls due on the way."""
        self.stripe("/_sim/clock", advance=str(seconds))
        self.sql("UPDATE shop SET clock_offset_seconds = clock_offset_seconds + :seconds", seconds=seconds)

    def violations(self) -> int:
        """How often the simulator answered in a shape that is not Stripe's."""
        return int(self.stripe("/_sim/health", method="GET")["violations"])

    def sql(self, statement: str, **values: object) -> list[dict[str, Any]]:
        """Run one statement in a transaction of its own; its rows, if it has any."""
        with self.engine.begin() as connection:
            result = connection.execute(sa.text(statement), values)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

    def mark(self) -> None:
        """Remember where the logs stand: `tail` shows what came after."""
        for role in ROLES:
            self.marks[role] = self.log(role).stat().st_size if self.log(role).exists() else 0

    def tail(self, role: str, characters: int = 6000) -> str:
        """What the process logged since the last mark, the end of it."""
        if not self.log(role).exists():
            return ""
        with self.log(role).open("rb") as file:
            file.seek(self.marks.get(role, 0))
            return file.read().decode(errors="replace")[-characters:]


def _answers(url: str) -> bool:
    with suppress(URLError, HTTPException, OSError), urlopen(url, timeout=2) as answer:
        return answer.status == 200
    return False
