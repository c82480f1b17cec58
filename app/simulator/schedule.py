"""Work put off until its time: done by a thread as the clock reaches it, or in order when the clock is moved."""

from __future__ import annotations

import threading
import traceback

from app.simulator.delivery import Courier
from app.simulator.engines import clocks
from app.simulator.registry import TIMED
from app.simulator.store import Store
from app.simulator.transaction import Transaction

PATIENCE = 30.0


class Schedule:
    """Runs due work. One step at a time, whoever drives it."""

    def __init__(self, store: Store, courier: Courier) -> None:
        self.store, self.courier = store, courier
        self.problems: list[str] = []
        self._turn = threading.RLock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        store.after_commit.append(self._committed)

    def start(self) -> None:
        """Begin doing work as it falls due."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._tick, name="schedule", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the step that is running."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _committed(self, tx: Transaction) -> None:
        if any(event["type"] == clocks.ADVANCING for event in tx.events):
            self._wake.set()

    def _tick(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(0.2)
            self._wake.clear()
            try:
                with self._turn:
                    self._advance_clocks()
                    while not self._stop.is_set() and self._step(int(self.store.clock.now())):
                        pass
            except Exception:
                self.problems.append(traceback.format_exc(limit=-4))

    def _advance_clocks(self) -> None:
        """Bring test clocks that were told to advance to where they shall stand."""
        for clock in clocks.advancing(self.store.read()):
            self.advance_clock(clock["id"], clocks.target(clock))
            with self.store.write() as tx:
                clocks.arrived(tx, clock["id"])

    def _step(self, until: int, clock: str = "") -> bool:
        """Do the earliest work due by `until`; False when there is none left."""
        row = (
            self.store.read()
            .sql.execute(
                "SELECT seq, at, kind, subject FROM due WHERE clock = ? AND at <= ? ORDER BY at, seq LIMIT 1",
                (clock, until),
            )
            .fetchone()
        )
        if row is None:
            return False
        seq, at, kind, subject = row
        if not clock:
            self.store.clock.reach(at)
        with self.store.write() as tx:
            if not clock:
                self.store.travel(at)
            if tx.sql.execute("DELETE FROM due WHERE seq = ?", (seq,)).rowcount == 0:
                return True
            if clock:
                clocks.reach(tx, clock, at)
            tx.sql.execute("SAVEPOINT step")
            try:
                TIMED[kind](tx, subject)
                tx.flush()
            except Exception:
                tx.sql.execute("ROLLBACK TO step")
                tx.abandon()
                self.problems.append(f"{kind} {subject}: {traceback.format_exc(limit=-4)}")
            tx.sql.execute("RELEASE step")
        return True

    def advance(self, seconds: float) -> int:
        """Move the clock forward, doing all work on the way in its order; returns the steps taken."""
        with self._turn:
            self.courier.drain(PATIENCE / 6)  # what is on its way arrives before time moves
            clock = self.store.clock
            target, moment = clock.offset + seconds, int(clock.now() + seconds)
            steps = 0
            while self._step(moment):
                steps += 1
                self.courier.drain(PATIENCE)
            self.store.shift(target)
            return steps

    def advance_clock(self, clock: str, moment: int) -> int:
        """The same for the objects of one test clock, which do not follow the global one."""
        with self._turn:
            steps = 0
            while not self._stop.is_set() and self._step(moment, clock):
                steps += 1
                self.courier.drain(PATIENCE)
            return steps

    def restore(self, name: str) -> None:
        """Put a snapshot in the store's place between two steps."""
        with self._turn:
            self.store.restore(name)
            self.problems.clear()

    def reset(self) -> None:
        """Empty the store between two steps."""
        with self._turn:
            self.store.wipe()
            self.problems.clear()
