"""Stripe's own sample requests and its command-line tool's trigger scripts, put to the simulator over HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from app.simulator import registry, resources
from tests.simulator.conftest import Simulator

# What an official sample may meet: its placeholder ids name nothing here, and the shop has no such state.
FOR_ITS_PARAMETERS = re.compile(
    r"Received unknown parameter|Missing required param|must be one of|Invalid (integer|boolean|object|array|"
    r"string|decimal|enum)|cannot be unset"
)
# One sample leaves out what Stripe itself needs in payment mode.
INCOMPLETE = "Missing required param: line_items."
# Families of events that a sale of today goes through; each script must bring its own event about.
FAMILIES = (
    "charge", "checkout", "coupon", "customer", "payment_intent", "payment_method", "price", "product",
    "promotion_code", "tax_rate",
)  # fmt: skip
# Of those families, what belongs to later floors: subscriptions.
LATER = re.compile(r"subscription")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("samples"), "--check")
    simulator.start()
    yield simulator
    simulator.stop()


def implemented(method: str, template: str) -> bool:
    """Whether the simulator serves this operation of Stripe's, whatever either calls the ids in its path."""
    nameless = {(route.method, re.sub(r"{\w+}", "{}", route.template)) for route in registry.ROUTES}
    return (method, re.sub(r"{\w+}", "{}", template)) in nameless


def test_official_samples_are_not_refused_for_their_parameters(
    room: Simulator, shared: Path, checkers: tuple[ModuleType, ModuleType]
) -> None:
    samples = json.loads((shared / "stripe/official/generated-examples-16.1.0.json").read_text())
    assert resources  # importing them fills the table of routes
    check_params, _ = checkers
    refused, tried = [], 0
    for method, path, body in samples:
        if not implemented(method, check_params.find(method, path).template):
            continue
        if method == "POST":
            answer = room.api(method, path, body.encode())
        else:
            answer = room.api(method, path + (f"?{body}" if body else ""))
        tried += 1
        error = answer.json().get("error", {})
        said = error.get("message", "")
        if (FOR_ITS_PARAMETERS.search(said) and said != INCOMPLETE) or answer.status >= 500:
            refused.append(f"{method} {path} {body}: {answer.status} {said}")
    assert not refused, "\n".join(refused)
    assert tried >= 140, f"only {tried} samples name a path that is implemented"
    assert room.look("violations") == {"violations": [], "problems": []}


def test_the_trigger_scripts_bring_their_events_about(room: Simulator, shared: Path) -> None:
    names = sorted(path.stem for path in (shared / "stripe/triggers").glob("*.json"))
    wanted = [name for name in names if name.startswith(FAMILIES) and not LATER.search(name)]
    assert len(wanted) >= 20
    done = subprocess.run(
        [sys.executable, "-B", shared / "stripe/run_triggers.py", room.url, shared / "stripe/triggers",
         "--only", ",".join(wanted), "--fixtures", shared / "stripe/official/fixtures3-2026-08-21.json"],
        capture_output=True,
        text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"triggers {len(wanted)}/{len(wanted)} pass" in done.stdout
    assert room.look("violations") == {"violations": [], "problems": []}
