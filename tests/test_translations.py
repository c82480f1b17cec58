"""The catalogues, held against the texts of the code: complete, current, exact in their placeholders, compiled."""

from __future__ import annotations

import io
import re
import shlex
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from app.languages import LANGUAGES
from tests.infra.run import ROOT

FOLDER = ROOT / "app" / "translations"
PLACEHOLDER = re.compile(r"%\(\w+\)s|%")
WRITTEN = sorted(set(LANGUAGES) - {"en"})

each_language = pytest.mark.parametrize("language", WRITTEN)


@cache
def catalogue(language: str) -> Catalog:
    """The catalogue of a language as it lies in the tree."""
    return _read(FOLDER / language / "LC_MESSAGES" / "messages.po", language)


def _read(path: Path, language: str | None = None) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=language)


def forms(text: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Singular and plural, or the one text."""
    return (text,) if isinstance(text, str) else tuple(text)


def messages(found: Catalog) -> dict[tuple[str, ...], Message]:
    """Each message by its English forms, the header left out."""
    return {forms(message.id): message for message in found if message.id}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Every text of code and templates, gathered with the options of `make translations`."""
    options = re.search(r"^EXTRACT := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert options
    target = tmp_path_factory.mktemp("texts") / "messages.pot"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        CommandLineInterface().run(
            ["pybabel", "-q", "extract", *shlex.split(options[1]), "-o", str(target), "."]
        )
    return _read(target)


def test_the_texts_are_gathered(texts: Catalog):
    places = {place for message in texts for place, _line in message.locations}
    for expected in ("app/errors.py", "app/account/settings.py", "templates/storefront/offer.html"):
        assert expected in places
    assert {"templates/email/receipt.txt", "templates/email/receipt.html"} <= places
    assert not [place for place in places if "simulator" in place], "the simulator stays English"


def test_there_is_a_catalogue_for_each_language():
    assert sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) == WRITTEN


@each_language
def test_nothing_is_missing_or_left_over(texts: Catalog, language: str):
    said, written = set(messages(texts)), set(messages(catalogue(language)))
    assert (said - written, written - said) == (set(), set()), (
        "run `make translations` and fill in what is new"
    )
    assert not catalogue(language).obsolete


@each_language
def test_nothing_is_empty_or_guessed(language: str):
    for key, message in messages(catalogue(language)).items():
        assert all(form.strip() for form in forms(message.string)), key
        assert not message.fuzzy, key


@each_language
def test_plurals_are_counted_as_the_language_counts(language: str):
    found = catalogue(language)
    for key, message in messages(found).items():
        assert len(forms(message.string)) == (found.num_plurals if message.pluralizable else 1), key


@each_language
def test_placeholders_are_those_of_the_text(language: str):
    for key, message in messages(catalogue(language)).items():
        for form in forms(message.string):
            allowed = [Counter(PLACEHOLDER.findall(text)) for text in key]
            assert Counter(PLACEHOLDER.findall(form)) in allowed, f"{key}: {form}"


@each_language
def test_texts_begin_and_end_alike(language: str):
    for key, message in messages(catalogue(language)).items():
        for form in forms(message.string):
            assert form == form.strip() and "  " not in form, form
            # A sentence stays a sentence, a label a label: pages put them side by side.
            assert key[-1].endswith((".", "?", ":")) == form.endswith((".", "?", ":")), f"{key}: {form}"
            assert "!" not in form, "the voice is calm"


@each_language
def test_the_compiled_catalogue_is_the_written_one(language: str):
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))
    beside = FOLDER / language / "LC_MESSAGES" / "messages.mo"
    assert beside.read_bytes() == compiled.getvalue(), "run `make translations`"


def test_german_speaks_as_the_house_does():
    for key, message in messages(catalogue("de")).items():
        for form in forms(message.string):
            assert not re.search(r"\b(du|dein\w*|dir|dich|bitte|leider|ups|CVV|CVC)\b", form, re.I), key
            assert not re.search(r"[\"']", form.replace("name@example.com", "")), f"{form}: write „…“ and ’"
