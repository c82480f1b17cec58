"""The shops journeys run in: one of each database kind shared by a process's tests, and private ones."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.infra import databases, run
from tests.infra.chance import SEED
from tests.infra.stack import ROLES, Stack

OpenStack = Callable[..., Stack]


@pytest.fixture(scope="session")
def shared_stacks(worker: str) -> Iterator[Callable[[str], Stack]]:
    """The shop of that database kind which this process's tests share, started when first asked for."""
    with ExitStack() as closing:
        started: dict[str, Stack] = {}

        def shared(kind: str) -> Stack:
            if kind not in started:
                url = closing.enter_context(databases.migrated(kind))
                name = f"{kind}-{worker}"
                started[kind] = closing.enter_context(Stack(name, url, run.folder() / name, seed=SEED))
            return started[kind]

        yield shared


def _lent(stack: Stack) -> Iterator[Stack]:
    """The shared shop, whole again should the last test have killed a part of it."""
    stack.mark()
    for role in ROLES:
        process = stack.processes.get(role)
        if process is None or process.poll() is not None:
            stack.restart(role)
    violations = stack.violations()
    yield stack
    if "simulator" in stack.processes:
        assert stack.violations() == violations, (
            f"the simulator's answers are not Stripe's:\n{stack.tail('simulator')}"
        )


@pytest.fixture
def stack(shared_stacks: Callable[[str], Stack]) -> Iterator[Stack]:
    """A running shop on SQLite, shared: leave its clock and its catalogue as they were found."""
    yield from _lent(shared_stacks("sqlite"))


@pytest.fixture(params=databases.KINDS)
def each_stack(shared_stacks: Callable[[str], Stack], request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The test runs twice: in the shared shop on SQLite and in the one on PostgreSQL."""
    yield from _lent(shared_stacks(request.param))


@pytest.fixture
def open_stack(request: pytest.FixtureRequest) -> Iterator[OpenStack]:
    """Start a shop of the test's own, to be killed and broken: `open_stack("postgresql", workers=2)`.

    It leaves no coverage data unless told `measured=True`. Further options are those of Stack.
    """
    with ExitStack() as closing:

        def open_stack(kind: str = "sqlite", **options: Any) -> Stack:
            url = closing.enter_context(databases.migrated(kind))
            name = re.sub(r"[^\w.-]+", "-", request.node.name) + f"-{kind}"
            options = {"seed": SEED, "measured": False, **options}
            return closing.enter_context(Stack(name, url, run.folder() / name, **options))

        yield open_stack
