"""One PostgreSQL server for the whole test run, started on first use; databases are cheap copies."""

import getpass
import json
import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from tests.infra import ports, run, wait

_numbers = count(1)
# Lines of a dump that say how to read it, not what the schema is.
_SETTINGS = ("--", "\\", "SET ", "SELECT pg_catalog.set_config")


@dataclass(frozen=True)
class Postgres:
    """A running server. `socket` is its Unix socket's folder; TCP is on loopback."""

    port: int
    user: str
    socket: str
    programs: str

    def url(self, database: str) -> str:
        """What DATABASE_URL says to use this database."""
        return f"postgresql+psycopg://{self.user}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: sql.Composable) -> None:
        with psycopg.connect(
            host=self.socket, port=self.port, user=self.user, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)

    def create_database(self, template: str = "template0", name: str = "") -> str:
        """Make a database as a copy of the template (nobody may be connected to that) and return its name."""
        name = name or f"t{os.getpid()}_{next(_numbers)}"
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        return name

    def drop_database(self, name: str) -> None:
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def dump_schema(self, database: str) -> str:
        """The database's schema as pg_dump writes it, without what differs from run to run."""
        where = ["-h", self.socket, "-p", str(self.port), "-U", self.user]
        command = [f"{self.programs}/pg_dump", "-s", "--no-owner", *where, database]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        lines = (line for line in output.splitlines() if line and not line.startswith(_SETTINGS))
        return "\n".join(lines)


def server() -> Postgres:
    """The run's server, started by whoever asks first."""
    with run.locked("postgres") as home:
        note = home / "postgres.json"
        if not note.exists():
            note.write_text(json.dumps(asdict(_start(home))))
        return Postgres(**json.loads(note.read_text()))


def _start(home: Path) -> Postgres:
    programs = _programs()
    user, options = _account()
    place = home / "postgres"
    place.mkdir()
    if "user" in options:
        os.chown(place, options["user"], options["group"])
    log = run.OUT / "logs" / "postgres.log"
    data, port = place / "data", ports.reserve()
    given = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    command = [f"{programs}/initdb", "-D", str(data), "-U", user, *given]
    made = subprocess.run(command, cwd=place, capture_output=True, text=True, **options)
    if made.returncode:
        raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
    given = ["--listen_addresses=127.0.0.1", "--max_connections=200", "--shared_buffers=64MB"]
    # A clean end for PostgreSQL is SIGINT to the postmaster: it disconnects everyone and checkpoints.
    process = run.spawn(
        [f"{programs}/postgres", "-D", str(data), "-p", str(port), "-k", str(place), *given],
        log,
        ending=signal.SIGINT,
        cwd=place,
        **options,
    )
    found = Postgres(port, user, str(place), programs)
    wait.until(lambda: _answers(found, process, log), "PostgreSQL answers", seconds=30)
    run.outlives(process)
    return found


def _answers(server: Postgres, process: subprocess.Popen, log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"PostgreSQL ended at its start:\n{log.read_text()[-2000:]}")
    try:
        server.execute(sql.SQL("SELECT 1"))
    except psycopg.OperationalError:
        return False
    return True


def _account() -> tuple[str, dict]:
    """Who runs the server: ourselves, or `postgres` when we are root, which PostgreSQL refuses."""
    if os.getuid():
        return getpass.getuser(), {}
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        entry = pwd.getpwnam("nobody")
    return "postgres", {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _programs() -> str:
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(newest[-1]) if newest else shutil.which("initdb")
    if not found:
        raise RuntimeError("PostgreSQL is not installed; .ci/tools installs it or says how")
    return str(Path(found).parent)
