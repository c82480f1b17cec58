"""What the documents say, held against what is there: links, commands, settings, tables, the tree."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from tests.infra.run import ROOT

if TYPE_CHECKING:
    from flask import Flask

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CONFIGURATION = ROOT / "docs" / "configuration.md"
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]*)\)")
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
SETTING = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
# What reads the environment, beside the tests and what make runs.
READERS = ("app/config.py", "app/gunicorn.py", "app/simulator/__main__.py")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def code(page: Path) -> str:
    """Everything on the page that is set as code, a line for each piece."""
    text = page.read_text()
    return "\n".join([*FENCE.findall(text), *CODE.findall(FENCE.sub("", text))])


def anchors(page: Path) -> set[str]:
    """What a page's headings are called in links."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    section = page.read_text().split(f"{heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n?)+", section, re.MULTILINE)
    assert table, f"{page.name} has no table under {heading}"
    return [
        [cell.strip() for cell in line.strip().strip("|").split("|")] for line in table[0].splitlines()[2:]
    ]


@each_page
def test_links_lead_somewhere(page: Path):
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        path, _, anchor = target.partition("#")
        found = (page.parent / path) if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert not broken


@each_page
def test_make_targets_exist(page: Path):
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|&&|;|=\S+) *make ([a-z][a-z-]*)", code(page), re.MULTILINE))
    assert named <= targets


@each_page
def test_flask_commands_exist(page: Path, app: Flask):
    broken = []
    for line in re.findall(r"(?:^|[\s/])flask (?:--app wsgi )?([a-z].*)", code(page), re.MULTILINE):
        words = re.split(r"[\s|&;#,]", line)
        if problem := unknown(app.cli, words):
            broken.append(f"flask {line}: {problem}")
    assert not broken


def unknown(group: click.Group, words: list[str]) -> str:
    """The first word that is neither a command of the group nor an option of the command; empty if none is."""
    context = click.Context(group)
    if words[:1] == ["…"]:
        return ""
    command = group.get_command(context, words[0]) if words else None
    if command is None:
        return f"there is no command {words[:1]}"
    if isinstance(command, click.Group) and len(words) > 1:
        return unknown(command, words[1:])
    options = {option for parameter in command.params for option in parameter.opts}
    given = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
    return ", ".join(sorted(given - options))


def test_a_command_that_does_not_exist_is_noticed(app: Flask):
    assert unknown(app.cli, ["catalogue", "push"])
    assert unknown(app.cli, ["catalog", "pull"])
    assert unknown(app.cli, ["audit", "verify", "--xml"])
    assert not unknown(app.cli, ["audit", "verify", "--json"])


def read_settings() -> Iterator[str]:
    """Each name that is asked of the environment."""
    for path in READERS:
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.args[0].value
                if isinstance(name, str) and len(name) > 3 and SETTING.fullmatch(name):
                    yield name


def documented() -> dict[str, list[str]]:
    """The rows of every table of settings, by name."""
    lines = re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \|(.*)\|$", CONFIGURATION.read_text(), re.MULTILINE)
    names = [name for name, _rest in lines]
    assert len(names) == len(set(names)), "a setting has two rows"
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in lines}


def test_every_setting_has_its_row():
    assert set(read_settings()) - set(documented()) == set()


def test_every_row_is_a_setting():
    others = [ROOT / "Makefile", *(ROOT / ".ci").iterdir(), *(ROOT / "tests").rglob("*.py")]
    elsewhere = "\n".join(path.read_text() for path in others if path.is_file())
    unread = set(documented()) - set(read_settings())
    assert {name for name in unread if not re.search(rf"\b{name}\b", elsewhere)} == set()


def test_defaults_are_as_the_tables_say():
    from app.config import Settings

    settings = Settings.from_env({})
    for name, cells in documented().items():
        field = {"APP_ENV": "env", "STRIPE_WEBHOOK_TOLERANCE": "webhook_tolerance"}.get(name, name.lower())
        value = getattr(settings, field, None)
        if isinstance(value, str | int | tuple) and name not in ("DATABASE_URL", "SECRET_KEY", "FIELD_KEYS"):
            shown = cells[0] if name == "STRIPE_SECRET_KEY" else f"`{value}`" if value else "none"
            assert cells[0].startswith(shown) or f"`{value}`" in cells[0], name


def test_the_tree_is_there():
    readme = (ROOT / "README.md").read_text()
    tree = re.search(r"## The shape of the house\n+```\n(.*?)```", readme, re.DOTALL)
    assert tree
    paths = [line.split()[0] for line in tree[1].splitlines()]
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("noun", ["Order", "Payment"])
def test_transitions_are_as_drawn(noun: str):
    from app import models

    drawn = {
        (start, end)
        for starts, ends in rows(
            ROOT / "docs" / "architecture.md", f"**{noun}** (`models/{noun.lower()}.py`)"
        )
        for start in starts.split(", ")
        for end in ends.split(", ")
        if end != "–"
    }
    table = getattr(models, noun).TRANSITIONS
    assert drawn == {(str(start), str(end)) for start, ends in table.items() for end in ends}


def test_rules_and_accounts_are_as_listed():
    from app.fraud.rules import RULES
    from app.models import Account

    page = ROOT / "docs" / "architecture.md"
    listed = {(code.strip("`"), int(points)) for code, _when, points in rows(page, "order is flagged.")}
    assert listed == {(rule.code, rule.points) for rule in RULES}
    assert {name.strip("`") for name, *_ in rows(page, "## The books")} == set(Account)


def test_each_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    locked = dict(
        re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)
    )
    names = {re.split(r"[\[<>=]", requirement)[0] for requirement in wanted}
    page = ROOT / "docs" / "decisions" / "0009-dependencies.md"
    told = {name: version for name, version, _why in [*rows(page, "Run time:"), *rows(page, "Development:")]}
    assert told == {name: locked[name] for name in names}


@pytest.mark.parametrize(
    ("heading", "behaves"),
    [
        ("## Paid", lambda card: card.code is None and card.secure == "never" and not card.after),
        ("## Refused", lambda card: card.code is not None and card.secure == "never"),
        ("## 3-D Secure", lambda card: card.secure != "never"),
        ("## What happens afterwards", lambda card: card.code is None and card.after),
    ],
)
def test_cards_behave_as_listed(heading: str, behaves):
    from app.simulator import cards

    for number, *_ in rows(ROOT / "docs" / "test-cards.md", heading):
        card = cards.BY_NUMBER.get(number.replace(" ", ""))
        assert card and behaves(card), number
