"""The frame of the benchmarks: names, ratios, and what is said when a name is unknown."""

import subprocess
import sys

from bench.registry import Benchmark
from tests.infra import run


def test_a_ratio_of_one_is_the_mark_whichever_way_is_better():
    assert Benchmark("a", "calls/s", 100, lambda: 0).ratio(250) == 2.5
    assert Benchmark("b", "s", 20, lambda: 0, higher=False).ratio(10) == 2


def test_an_unknown_name_is_answered_with_those_there_are():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "nothing"], cwd=run.ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "nothing" in done.stderr
    assert "simulator.retrievals" in done.stderr
