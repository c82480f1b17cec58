"""Coverage, told apart: the product, and the simulator that stands in for Stripe."""

import io

import coverage
import pytest

SIMULATOR = "app/simulator/*"


def report(terminal: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print both tables and fail the run when the product's coverage is under the floor.

    pytest-cov has combined the data by now, that of every process the run started included.
    """
    if (
        not config.pluginmanager.hasplugin("_cov")
        or not config.option.cov_source
        or hasattr(config, "workerinput")
    ):
        return
    measured = coverage.Coverage()
    measured.load()
    product = _table(terminal, measured, "coverage of app/ without the simulator", omit=[SIMULATOR])
    _table(terminal, measured, "coverage of app/simulator", include=[SIMULATOR])
    floor = config.option.coverage_floor
    if product is not None and product < floor:
        terminal.write_line(f"FAIL: app/ is covered to {product:.2f} %, the floor is {floor:g} %", red=True)
        terminal._session.exitstatus = terminal._session.exitstatus or pytest.ExitCode.TESTS_FAILED


def _table(
    terminal: pytest.TerminalReporter, measured: coverage.Coverage, title: str, **which: list[str]
) -> float | None:
    output = io.StringIO()
    try:
        total = measured.report(file=output, show_missing=True, skip_covered=True, precision=2, **which)
    except coverage.exceptions.NoDataError:
        return None
    terminal.section(title)
    terminal.write(output.getvalue())
    return total
