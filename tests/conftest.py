"""What all tests share: the run's seed and servers, skips that count as failures, and the coverage floor."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra import chance, measure, network, run
from tests.infra import stack as stacks

pytest_plugins = [
    "tests.infra.chance",
    "tests.infra.databases",
    "tests.infra.servers",
    "tests.infra.stacks",
    "tests.infra.browser",
    "tests.infra.shop",
]

CI = os.environ.get("CI", "").lower() in ("1", "true")
HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("countinghouse")
    group.addoption("--shared", default=os.environ.get("SHARED"), help="folder that tests/contract reads")
    group.addoption(
        "--stripe-account", action="store_true", help="collect the tests on a real Stripe test account"
    )
    group.addoption(
        "--coverage-floor", type=float, default=0, help="least coverage of app/ in percent; 0 lifts it"
    )


def pytest_configure(config: pytest.Config) -> None:
    chance.configure()
    run.folder()
    network.stay_on_loopback()
    if config.option.shared:
        config.option.shared = str(Path(config.option.shared).resolve())


def pytest_unconfigure(config: pytest.Config) -> None:
    network.release()
    if not hasattr(config, "workerinput"):
        run.close()


def pytest_report_header() -> str:
    return f"countinghouse: SEED={chance.SEED} SIZE={chance.SIZE}" + (
        " CI: a skip is a failure" if CI else ""
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Tests that need what is not there are not collected, so that nothing counts as skipped."""
    if collection_path == HERE / "contract":
        return None if config.option.shared else True
    if collection_path == HERE / "stripe_account":
        return None if config.option.stripe_account else True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no process of the run is left with them when the others are done."""
    slow = {"chaos": 0, "test_first_run.py": 1, "journeys": 2}
    items.sort(key=lambda item: slow.get(item.nodeid.removeprefix("tests/").split("/")[0].split("::")[0], 3))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    if CI and report.skipped:
        _fail_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        _fail_skipped(report)
    if report.failed:
        item.failed = True
        for stack in stacks.running:
            for role in stacks.ROLES:
                if text := stack.tail(role):
                    report.sections.append((f"{stack.name} {role} log", text))
    return report


def _fail_skipped(report: pytest.CollectReport | pytest.TestReport) -> None:
    report.outcome = "failed"
    where, line, reason = report.longrepr
    report.longrepr = f"{where}:{line}: {reason} (in CI a skip is a failure)"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    measure.report(terminalreporter, config)


@pytest.fixture(scope="session")
def worker() -> str:
    """Which of the run's parallel processes this is, for names of files."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")
