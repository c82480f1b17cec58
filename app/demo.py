"""`flask demo`: migrate, load the sample catalogue, then simulator, web and worker in one foreground group."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from flask_migrate import upgrade

from app import clock, gateway
from app.billing import catalog, catalog_sync
from app.billing.events import HANDLERS
from app.config import ROOT, Settings
from app.extensions import db, mean_to_write
from app.models import Shop

VAR = ROOT / "var"
TEST_CARDS = """  4242 4242 4242 4242   pays
  4000 0000 0000 0002   is declined
  4000 0000 0000 9995   is declined: insufficient funds
  4000 0027 6000 3184   asks for 3-D Secure
  any future expiry date, any security code"""


class NotStarted(Exception):
    """The shop cannot start; the message says what to do."""


def run(settings: Settings) -> int:
    """Start everything, print where it is, wait; the first process that ends, or Ctrl-C, stops all."""
    web_port = int(settings.web_bind.rsplit(":", 1)[1])
    simulated = settings.simulated
    simulator_port = urlsplit(settings.stripe_api_base).port or 4242
    try:
        _require_free(web_port, "the shop", "WEB_BIND=127.0.0.1:8001 PUBLIC_URL=http://localhost:8001")
        if simulated:
            _require_free(simulator_port, "the Stripe simulator", "STRIPE_API_BASE=http://127.0.0.1:4243")
    except NotStarted as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    VAR.mkdir(exist_ok=True)
    group = Group()
    try:
        _prepare(settings, group, simulator_port if simulated else None)
        _announce(settings, simulator_port if simulated else None)
        return group.wait()
    except NotStarted as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        group.stop()


class Group:
    """Child processes that live and die together. Their output goes to var/log."""

    def __init__(self) -> None:
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.env = dict(os.environ)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)

    def _interrupt(self, *_: object) -> None:
        raise KeyboardInterrupt

    def start(self, name: str, command: Sequence[str]) -> None:
        logs = VAR / "log"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{name}.log").open("ab") as output:
            self.children[name] = subprocess.Popen(  # noqa: S603  # our own commands
                command, cwd=ROOT, env=self.env, stdout=output, stderr=output
            )

    def wait(self) -> int:
        while True:
            for name, child in self.children.items():
                if child.poll() is not None:
                    sys.stderr.write(f"{name} stopped; its log is var/log/{name}.log\n")
                    return 1
            time.sleep(0.5)

    def ended(self) -> str | None:
        return next((name for name, child in self.children.items() if child.poll() is not None), None)

    def stop(self) -> None:
        for child in self.children.values():
            if child.poll() is None:
                child.terminate()
        for child in self.children.values():
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()


def _prepare(settings: Settings, group: Group, simulator_port: int | None) -> None:
    flask = [sys.executable, "-m", "flask", "--app", "wsgi"]
    if simulator_port is not None:
        group.env["SIMULATOR_DATABASE"] = group.env.get("SIMULATOR_DATABASE", str(VAR / "simulator.db"))
        simulator = [sys.executable, "-m", "app.simulator", "--port", str(simulator_port)]
        group.start("simulator", [*simulator, "--merchant", str(_read_catalogue(settings).merchant["name"])])
    upgrade()
    if simulator_port is not None:
        _await(f"http://127.0.0.1:{simulator_port}/_sim/health", group)
        group.env["STRIPE_WEBHOOK_SECRETS"] = json.dumps([_endpoint(settings)])
    gunicorn = str(Path(sys.executable).parent / "gunicorn")
    group.start("web", [gunicorn, "-c", "python:app.gunicorn", "wsgi:app"])
    group.start("worker", [*flask, "worker"])
    _load_catalogue(settings)  # while the others start
    _await(f"http://{settings.web_bind}/readyz", group)


def _read_catalogue(settings: Settings) -> catalog.Catalog:
    try:
        return catalog.read(settings.catalog_file)
    except catalog.CatalogError as error:
        problems = "\n  ".join(error.problems)
        raise NotStarted(f"The catalogue cannot be used:\n  {problems}") from error


def _load_catalogue(settings: Settings) -> None:
    """What `flask catalog push` does, in this process: starting another one takes seconds."""
    mean_to_write()
    catalog.load(_read_catalogue(settings))
    db.session.commit()
    try:
        for _made in catalog_sync.push():
            pass
    except gateway.StripeFailure as failure:
        raise NotStarted(f"Stripe did not take the catalogue: {failure.raw}\nStart again.") from failure
    finally:
        # This process stays: a transaction left open here would lock everybody else out of an SQLite file.
        db.session.remove()


def _await(url: str, group: Group, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if name := group.ended():
            tail = (VAR / "log" / f"{name}.log").read_text(errors="replace")[-2000:]
            raise NotStarted(f"{name} stopped while starting:\n{tail}")
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # our own loopback address
                return
        except OSError:
            time.sleep(0.1)
    raise NotStarted(f"{url} did not answer within {seconds:.0f} seconds; see var/log.")


def _endpoint(settings: Settings) -> str:
    """Tell the simulator where our webhook is; its secret is only ever told at creation, so it is made anew."""
    gateway.configure(settings.stripe_secret_key, settings.stripe_api_base)
    url = f"http://{settings.web_bind}/webhooks/stripe"
    for known in list(gateway.listing("webhook_endpoints.list")):
        if known["url"] == url:
            gateway.client.method("webhook_endpoints.delete")(known["id"])
    made = gateway.client.method("webhook_endpoints.create")(
        params={"url": url, "enabled_events": sorted(HANDLERS), "api_version": gateway.API_VERSION}
    )
    return str(made.secret)


def _announce(settings: Settings, simulator_port: int | None) -> None:
    lines = [
        "",
        f"Countinghouse is open at {settings.public_url}",
        "",
        f"  Shop        {settings.public_url}/",
        f"  Console     {settings.public_url}/ops   (first: flask --app wsgi users grant YOU@EXAMPLE.COM owner)",
        f"  Mails       {settings.public_url}/dev/mail",
    ]
    if simulator_port is not None:
        lines += [
            f"  Stripe      http://localhost:{simulator_port}/_sim/   (the simulator; no real money moves)"
        ]
    lines += ["", "Test cards", TEST_CARDS, "", "Logs are in var/log. Ctrl-C stops everything.", ""]
    sys.stdout.write("\n".join(lines))
    sys.stdout.flush()


def _require_free(port: int, what: str, remedy: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise NotStarted(
                f"Port {port} for {what} is in use by another program.\n"
                f"Stop that program, or choose another port: {remedy} make run"
            ) from error


def travel(settings: Settings, seconds: int) -> datetime:
    """Set the simulator's clock ahead, then the shop's by as much. The caller commits. Raises OSError."""
    body = json.dumps({"advance": seconds}).encode()
    request = urllib.request.Request(  # noqa: S310  # loopback: the settings were checked
        f"{settings.stripe_api_base}/_sim/clock", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120):  # noqa: S310  # the same
        pass
    shop = db.session.get(Shop, 1) or Shop(id=1)
    shop.clock_offset_seconds = (shop.clock_offset_seconds or 0) + seconds
    db.session.add(shop)
    clock.travel_to(timedelta(seconds=shop.clock_offset_seconds))
    return clock.now()


def replace_process(command: list[str]) -> None:
    """Become `command`."""
    os.execv(command[0], command)  # noqa: S606
