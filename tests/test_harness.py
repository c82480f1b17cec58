"""The ground the tests stand on is itself solid: its parser, its page rules, its bans, its servers."""

import random
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.infra import chance, databases, html, network, pages, reaper, run, wait
from tests.infra.postgres import Postgres

GOOD = """<!doctype html><html lang="en"><head><title>Offers</title></head><body><main><h1>Offers</h1>
<form method="post" action="/checkout"><input type="hidden" name="csrf_token" value="x">
<label for="q">Quantity</label><input id="q" name="quantity" class="field wide" value="1">
<label>Note <textarea name="note">a  b</textarea></label><button name="go">Pay</button></form>
<script type="module" src="/static/js/page.js"></script></main></body></html>"""


def test_html_selects_by_tag_id_class_attribute_and_descent():
    page = html.parse(GOOD)
    assert page.one("main h1").text == "Offers"
    assert page.one("#q")["value"] == "1"
    assert page.one("form[method=post] .wide").get("name") == "quantity"
    assert [e.get("name") for e in page.select("input, textarea")] == ["csrf_token", "quantity", "note"]
    assert page.select("main title") == [] and page.select("[action^='/check']") == page.select("form")
    with pytest.raises(AssertionError, match="2 elements"):
        page.one("input")


def test_a_page_that_keeps_every_rule_passes():
    pages.check(html.parse(GOOD))


@pytest.mark.parametrize(
    ("good", "bad", "rule"),
    [
        (' lang="en"', "", "without a lang"),
        ("<title>Offers</title>", "<title> </title>", "no title"),
        ("</h1>", "</h1><h1>Again</h1>", "2 h1 elements"),
        ("<h1>", '<h1 style="color:red">', "inline style attribute"),
        ("<h1>", '<h1 onclick="x()">', "inline onclick attribute"),
        ("</main>", "<style>h1 {}</style></main>", "inline style"),
        ("</main>", "<script>x()</script></main>", "inline script"),
        ("</main>", "<a href='javascript:x()'>x</a></main>", "javascript: address"),
        ('<label for="q">', "<label>", "'quantity' has no label"),
        ('name="csrf_token"', 'name="other"', "without a CSRF token"),
        ("</main>", '<p id="q">twice</p></main>', "id 'q' used 2 times"),
    ],
)
def test_a_page_that_breaks_a_rule_is_told_which(good, bad, rule):
    assert good in GOOD
    with pytest.raises(AssertionError, match=rule):
        pages.check(html.parse(GOOD.replace(good, bad, 1)))


def test_no_test_reaches_another_machine():
    with socket.socket() as connection, pytest.raises(network.Outside, match=r"192\.0\.2\.1"):
        connection.connect(("192.0.2.1", 443))


def test_draws_repeat_for_a_seed(rng, request):
    again = random.Random(f"{chance.SEED}:{request.node.nodeid}")
    assert [rng.random() for _ in range(3)] == [again.random() for _ in range(3)]


def test_databases_are_made_and_dropped(postgres_server: Postgres):
    name = postgres_server.create_database()
    with psycopg.connect(postgres_server.url(name).replace("+psycopg", "")) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    postgres_server.drop_database(name)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(postgres_server.url(name).replace("+psycopg", ""))


def test_redis_answers(redis_url):
    import redis

    with redis.Redis.from_url(redis_url) as store:
        store.set("seen", 1)
        assert store.get("seen") == b"1"


def test_what_a_killed_run_started_is_ended(tmp_path: Path):
    """The reaper outlives the run, ends its processes and deletes its folder."""
    (tmp_path / "pids").mkdir()
    orphan = subprocess.Popen(["sleep", "600"], start_new_session=True)
    (tmp_path / "pids" / str(orphan.pid)).write_text("15")
    leader = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    watcher = subprocess.Popen([sys.executable, reaper.__file__, str(leader.pid), str(tmp_path)])
    leader.kill()
    leader.wait()
    assert orphan.wait(10) == -15
    assert watcher.wait(10) == 0
    assert not tmp_path.exists()


def test_waiting_names_what_did_not_come():
    with pytest.raises(AssertionError, match=r"not within 0\.01 s: the moon"):
        wait.until(lambda: False, "the moon", seconds=0.01, every=0.001)


@pytest.fixture
def inner_run(tmp_path: Path):
    """Run pytest on a module of its own, in the house's ways; its output."""

    def inner_run(test: str, **environ: str) -> str:
        place = tmp_path / "test_inner.py"
        place.write_text(test)
        command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "--rootdir", str(run.ROOT)]
        command += ["-c", str(run.ROOT / "pyproject.toml"), "-p", "no:cacheprovider", str(place)]
        keep = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        return subprocess.run(
            command, cwd=run.ROOT, env={**keep, **environ}, capture_output=True, text=True
        ).stdout

    return inner_run


SKIPS = "import pytest\n\n@pytest.mark.skip(reason='too hard')\ndef test_it(): ...\n"


def test_a_skip_is_a_failure_in_ci(inner_run):
    assert "1 skipped" in inner_run(SKIPS)
    said = inner_run(SKIPS, CI="true")
    assert "1 error" in said and "too hard (in CI a skip is a failure)" in said
    inside = "import pytest\n\ndef test_it(): pytest.skip('not today')\n"
    assert "1 failed" in inner_run(inside, CI="true")
    module = "import pytest\n\npytest.importorskip('no_such_module')\n"
    assert "1 error" in inner_run(module, CI="true")


def test_the_seed_is_printed_and_can_be_pinned(inner_run):
    test = "import random\n\ndef test_it(): assert random.random() == 2\n"
    first, second = inner_run(test, SEED="7"), inner_run(test, SEED="7")
    assert "SEED=7" in first
    drawn = [line for line in first.splitlines() if line.startswith("E ") and "== 2" in line]
    assert drawn and all(line in second for line in drawn)


def test_migrated_copies_do_not_share_rows():
    with databases.migrated("sqlite") as one, databases.migrated("sqlite") as two:
        paths = [url.removeprefix("sqlite:///") for url in (one, two)]
        assert paths[0] != paths[1]
        for path in paths:
            connection = sqlite3.connect(path)
            assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
            connection.close()
