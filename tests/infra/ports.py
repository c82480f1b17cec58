"""Ports for the servers a test run starts."""

import random
import socket

from tests.infra import run

# Below the range from which the kernel takes ports for outgoing connections: a server that is killed and
# started again finds its port free.
_RANGE = range(20000, 32000)
_choose = random.Random()


def reserve() -> int:
    """A loopback port nobody listens on, not given to anyone else in this run."""
    taken = run.folder() / "ports"
    taken.mkdir(exist_ok=True)
    for _ in range(1000):
        port = _choose.choice(_RANGE)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                (taken / str(port)).touch(exist_ok=False)
            except OSError:
                continue
        return port
    raise RuntimeError("no free port between 20000 and 32000")
