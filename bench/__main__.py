"""`python -m bench [names]`: run the benchmarks, print the table, keep the figures in results/latest.json.

A name is a module (`simulator`) or one measurement of it (`simulator.retrievals`); none means all.
"""

import importlib
import json
import os
import pkgutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import bench
from bench.registry import BENCHMARKS, SIZE, Benchmark

RESULTS = Path(__file__).parent / "results" / "latest.json"
FRAME = ("registry", "__main__")


def chosen(names: list[str]) -> list[Benchmark]:
    """The measurements asked for; exits with the list of what there is when one is unknown."""
    for module in pkgutil.iter_modules(bench.__path__):
        if module.name not in FRAME and not module.ispkg:
            importlib.import_module(f"bench.{module.name}")
    picked = [b for b in BENCHMARKS.values() if not names or b.name in names or b.name.split(".")[0] in names]
    known = {b.name for b in BENCHMARKS.values()} | {b.name.split(".")[0] for b in BENCHMARKS.values()}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"No benchmark is named {', '.join(unknown)}. There are: {', '.join(sorted(BENCHMARKS))}.")
    return picked


def row(*cells: str) -> str:
    """One line of the table."""
    return f"{cells[0]:<34}{cells[1]:>12}  {cells[2]:<20}{cells[3]:>10}{cells[4]:>8}"


def main(names: list[str]) -> None:
    """Measure, print as it goes, and write what was measured beside what earlier runs found."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    print(f"SIZE={SIZE}, {os.cpu_count()} cores, {datetime.now(UTC):%Y-%m-%d}")
    print(row("benchmark", "value", "unit", "mark", "ratio"))
    for one in chosen(names):
        value = one.run()
        ratio = one.ratio(value)
        print(row(one.name, f"{value:,.1f}", one.unit, f"{one.baseline:,g}", f"{ratio:.2f}"), flush=True)
        command = f"{'SIZE=full ' if SIZE == 'full' else ''}python -m bench {one.name}"
        kept[one.name] = {
            "value": round(value, 3), "unit": one.unit, "baseline": one.baseline, "ratio": round(ratio, 3),
            "command": command,
        }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(dict(sorted(kept.items())), indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
