"""`python -m app.simulator`: a Stripe on this machine, in one process, on a loopback address only."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from app.simulator.web import Settings, create_simulator, start

THREADS = 32


def options(arguments: list[str]) -> argparse.Namespace:
    """The command line; every option can also be set in the environment."""
    env = os.environ.get
    parser = argparse.ArgumentParser(prog="python -m app.simulator", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=int(env("SIMULATOR_PORT", "4242")), help="0 picks a free one"
    )
    parser.add_argument("--host", default=env("SIMULATOR_HOST", "127.0.0.1"), help="a loopback address")
    parser.add_argument("--database", default=env("SIMULATOR_DATABASE", "var/simulator.db"))
    parser.add_argument("--seed", default=env("SIMULATOR_SEED"), help="same seed, same identifiers")
    parser.add_argument("--start", type=int, default=env("SIMULATOR_START"), metavar="UNIX_TIME",
                        help="a clock that stands still here until it is moved")  # fmt: skip
    parser.add_argument("--merchant", default=env("SIMULATOR_MERCHANT", "Sample merchant"))
    parser.add_argument("--webhook-url", default=env("SIMULATOR_WEBHOOK_URL"))
    parser.add_argument("--webhook-secret", default=env("SIMULATOR_WEBHOOK_SECRET"))
    parser.add_argument("--check", action="store_true", default=env("SIMULATOR_CHECK") == "1",
                        help="hold every answer against the SDK's shapes")  # fmt: skip
    return parser.parse_args(arguments)


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; exits with a sentence when the address is not loopback or already taken."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        sys.exit(f"The simulator needs a loopback IP address to listen on, not {host!r}.")
    if not address.is_loopback:
        sys.exit(f"The simulator only listens on loopback addresses, not on {host}: it knows no passwords.")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((str(address), port))
    except OSError as error:
        sys.exit(f"The simulator cannot listen on port {port}: {error.strerror}. Is another one running?")
    listener.listen(512)
    return listener


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with one worker and many threads, holding the app."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self.settings, self.listener = settings, listener
        self.stop: Callable[[], None] | None = None
        super().__init__()

    def load_config(self) -> None:
        """One worker: the store belongs to one process."""

        def begin(worker: Any) -> None:
            self.stop = start(worker.app.callable)

        def end(server: Any, worker: Any) -> None:
            if self.stop:
                self.stop()

        values = {
            "bind": f"fd://{self.listener.fileno()}", "workers": 1, "worker_class": "gthread", "threads": THREADS,
            "graceful_timeout": 3, "timeout": 120, "keepalive": 30, "loglevel": "warning", "post_worker_init": begin,
            "worker_exit": end, "control_socket_disable": True,
        }  # fmt: skip
        for key, value in values.items():
            if key in self.cfg.settings:
                self.cfg.set(key, value)

    def load(self) -> Any:
        """The WSGI app."""
        return create_simulator(self.settings)


def main(arguments: list[str]) -> None:
    """Serve until told to stop."""
    chosen = options(arguments)
    if chosen.webhook_url and not chosen.webhook_secret:
        sys.exit("--webhook-url needs --webhook-secret.")
    listener = bound(chosen.host, chosen.port)
    host, port = listener.getsockname()[:2]
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    settings = Settings(
        database=chosen.database,
        seed=chosen.seed,
        start=chosen.start,
        merchant=chosen.merchant,
        base_url=base,
        webhook=(chosen.webhook_url, chosen.webhook_secret) if chosen.webhook_url else None,
        check=chosen.check,
    )
    print(f"Stripe simulator on {base} (events and clock: {base}/_sim/)", flush=True)
    Server(settings, listener).run()


if __name__ == "__main__":
    main(sys.argv[1:])
