"""Size and chance: how much a property, load or chaos test does, and the seed it draws from."""

import os
import random
from collections.abc import Iterator

import hypothesis
import hypothesis.core
import pytest

SIZES = ("small", "full")
SIZE = os.environ.get("SIZE", "small")
if SIZE not in SIZES:
    raise SystemExit(f"SIZE is {SIZE!r}; use one of {', '.join(SIZES)}")

# Rotates with every run and is printed in the header; the processes a run starts inherit it.
SEED = int(os.environ.setdefault("SEED", str(random.SystemRandom().randrange(2**31))))


def scaled(small: int, full: int) -> int:
    """How many times, at the size this run was asked for."""
    return full if SIZE == "full" else small


def configure() -> None:
    """Hypothesis at this run's size, drawing from this run's seed."""
    hypothesis.settings.register_profile(
        "house",
        max_examples=scaled(50, 1000),
        deadline=None,
        print_blob=True,
        suppress_health_check=[
            hypothesis.HealthCheck.too_slow,
            hypothesis.HealthCheck.function_scoped_fixture,
        ],
    )
    hypothesis.settings.load_profile("house")
    hypothesis.core.global_force_seed = SEED


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> Iterator[None]:
    random.seed(f"{SEED}:{request.node.nodeid}")
    yield


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """A generator of this test's own: the same draws for the same SEED, whatever else runs."""
    return random.Random(f"{SEED}:{request.node.nodeid}")


@pytest.fixture
def size() -> str:
    """`small` or `full`."""
    return SIZE
