"""What a benchmark module declares: named measurements, each with its unit and the mark it is held against."""

import os
from collections.abc import Callable
from dataclasses import dataclass

SIZE = os.environ.get("SIZE", "small")


@dataclass(frozen=True)
class Benchmark:
    """One measurement. `baseline` is a good mark; the ratio is at least 1 when it is reached."""

    name: str
    unit: str
    baseline: float
    run: Callable[[], float]
    higher: bool = True

    def ratio(self, value: float) -> float:
        """How the value stands to the baseline: above 1 is better, whichever way is better."""
        return value / self.baseline if self.higher else self.baseline / max(value, 1e-9)


BENCHMARKS: dict[str, Benchmark] = {}


def benchmark(
    name: str, unit: str, baseline: float, *, higher: bool = True
) -> Callable[[Callable[[], float]], Callable[[], float]]:
    """Register a measurement: the function does it and returns the value."""

    def register(run: Callable[[], float]) -> Callable[[], float]:
        BENCHMARKS[name] = Benchmark(name, unit, baseline, run, higher)
        return run

    return register


def scaled(small: int, full: int) -> int:
    """How many, at the size this run was asked for (SIZE=small or full)."""
    return full if SIZE == "full" else small
