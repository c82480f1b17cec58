"""The tests mirror app/; what they run on (database, servers, browser) lives in tests/infra."""

import pytest

# Before anything imports it: what the harness asserts is told in full as well.
pytest.register_assert_rewrite("tests.infra")
