"""The checkers of the shared folder, imported from where they are."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest) -> Path:
    """The folder given by --shared."""
    folder = Path(request.config.option.shared)
    assert folder.is_dir(), f"--shared {folder} is no folder"
    return folder


@pytest.fixture(scope="session")
def checkers(shared: Path) -> Iterator[tuple[ModuleType, ModuleType]]:
    """`check_params` and `check_response`."""
    place = str(shared / "stripe")
    sys.path.insert(0, place)
    # The folder is not ours to write compiled files into.
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    yield importlib.import_module("check_params"), importlib.import_module("check_response")
    sys.dont_write_bytecode = before
    sys.path.remove(place)
