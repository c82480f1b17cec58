"""One test run: its scratch folder, shared by all its processes, and the processes it started."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.infra import reaper

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out"
_VARIABLE = "COUNTINGHOUSE_TEST_RUN"


def folder() -> Path:
    """This run's folder. The first process to ask makes it and owns it; those it starts inherit it."""
    if _VARIABLE not in os.environ:
        made = Path(tempfile.mkdtemp(prefix="countinghouse-", dir="/tmp"))
        made.chmod(0o755)  # PostgreSQL runs as another user and must pass through
        (made / "pids").mkdir()
        os.environ[_VARIABLE] = str(made)
        watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", reaper.__file__, str(os.getpid()), str(made)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={},
        )
        outlives(watcher)
    return Path(os.environ[_VARIABLE])


def close() -> None:
    """End the run: stop what is still running and delete the folder. Only its owner may call this."""
    if path := os.environ.pop(_VARIABLE, None):
        reaper.reap(Path(path))


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """Hold the run's lock of that name; yields the run's folder."""
    home = folder()
    with (home / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield home


def spawn(
    command: list[str], log: Path, *, ending: signal.Signals = signal.SIGKILL, **options
) -> subprocess.Popen:
    """Start a process in a session of its own, logging to a file, registered to be ended with the run."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    (folder() / "pids" / str(process.pid)).write_text(str(int(ending)))
    return process


def outlives(process: subprocess.Popen) -> None:
    """This process will not wait for that one: the run ends it. Its object would complain when dropped."""
    process.returncode = 0


def ended(process: subprocess.Popen) -> None:
    """Forget a process that has been waited for: its id may soon be another's."""
    (folder() / "pids" / str(process.pid)).unlink(missing_ok=True)
