"""Ends what a test run started, also when the run itself was killed. Standard library only.

As a program (`reaper.py PID FOLDER`) it sleeps until process PID is gone and then reaps FOLDER.
"""

import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path


def reap(folder: Path) -> None:
    """Stop every process registered under the folder, each by its own signal, then delete the folder."""
    entries = sorted((folder / "pids").glob("*"))
    for entry in entries:
        _signal(int(entry.name), int(entry.read_text() or signal.SIGKILL))
    deadline = time.monotonic() + 10
    for entry in entries:
        while _alive(int(entry.name)) and time.monotonic() < deadline:
            time.sleep(0.02)
        _signal(int(entry.name), signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _signal(pid: int, number: int) -> None:
    # Each registered process leads its own session, so its id names the group and all it forked.
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _alive(pid: int) -> bool:
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        # A zombie nobody waits for is as good as gone.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def watch(pid: int, folder: Path) -> None:
    """Return once the process is gone, having reaped its folder."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        pass
    else:
        select.select([handle], [], [])
    reap(folder)


if __name__ == "__main__":
    watch(int(sys.argv[1]), Path(sys.argv[2]))
