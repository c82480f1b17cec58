"""What the macros promise: escaping, sums, states, forms."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import Money
from tests.components.conftest import Render
from tests.components.gallery import STATES
from tests.components.stand_in import at, euros, make_app

HOSTILE = "<script>alert(1)</script>\" onload='x' &amp;"
CALLS = {
    "tag": "ui.tag(x)",
    "statement": "ui.statement([(x, m)], x, m, note=x)",
    "statement as a table": "ui.statement([(x, m)], x, m, table=True)",
    "stat": "ui.stat(x, x, x)",
    "facts": "ui.facts([(x, x)])",
    "json": "ui.json({x: x})",
    "json text": "ui.json(x)",
    "btn": "ui.btn(x)",
    "btn link": "ui.btn(x, href=x)",
    "btn form": "ui.btn(x, action=x, fields={'a': x}, name=x)",
    "field": "ui.field('a', x, value=x, hint=x, error=x, placeholder=x)",
    "textarea": "ui.textarea('a', x, value=x, hint=x, error=x)",
    "select": "ui.select('a', x, [(x, x)], x, hint=x, error=x)",
    "choice": "ui.choice('a', x, x, x, x)",
    "choices": "ui.choices('a', x, [(x, x, x, x)], x, hint=x, error=x)",
    "tick": "ui.tick('a', x, hint=x, error=x)",
    "problem": "ui.problem({'a': x, 'b': [x]})",
    "empty": "ui.empty(x, x, (x, x))",
    "pager": "ui.pager(x, x)",
    "filters": "ui.filters(x, q=x, hint=x, selects=[{'name': 'n', 'label': x, 'options': [(x, x)], 'value': x}], keep={'k': x})",
    "tabs": "ui.tabs(x, [(x, x, true, x)])",
    "timeline": "ui.timeline([{'title': x, 'detail': x, 'actor': x, 'at': at, 'href': x}])",
    "cohort": "ui.cohort(x, x, x, [x], [(x, x, [1])])",
    "bars": "ui.bars(x, [(x, [1, -1], false)], ['c-new', 'c-churn'], [(-1, x), (1, x)])",
    "steps": "ui.steps([x], 1)",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_text_from_outside_stays_text(render: Render, call: str) -> None:
    page = render("{{ " + call + " }}", x=HOSTILE, m=euros(1), at=at(1))
    assert page.select("script") == []
    assert not [e for e in page.walk() for name in e.attributes if name.startswith("on")]
    assert "alert(1)" in page.text or any("alert(1)" in v for e in page.walk() for v in e.attributes.values())


@pytest.mark.parametrize(
    "block", ["ui.note('warn', title=x)", "ui.state_sentence()", "ui.plan(x, m, x, x, x, [x], x, href=x)"]
)
def test_text_from_outside_stays_text_around_a_caller(render: Render, block: str) -> None:
    page = render("{% call " + block + " %}{{ x }}{% endcall %}", x=HOSTILE, m=euros(1))
    assert page.select("script") == []
    assert HOSTILE in " ".join(page.text.split())


def test_money_carries_its_minor_units_and_a_true_minus(render: Render) -> None:
    data = render("{{ ui.money(m) }}", m=euros(-123456)).one("data.money")
    assert data["value"] == "-123456"
    assert data.text == "−€1,234.56"


def test_money_shows_the_code_where_currencies_meet(render: Render) -> None:
    assert "JPY" in render("{{ ui.money(m, code=True) }}", m=Money(7400, "jpy")).text


def test_what_is_not_known_is_said(render: Render) -> None:
    assert render("{{ ui.money(none) }} · {{ ui.when(none) }}").text == "not yet known · not yet known"
    assert "not yet known" in render("{{ ui.facts([('Net', none)]) }}").text


def test_a_moment_is_a_time_element(render: Render) -> None:
    time = render("{{ ui.when(at) }}", at=at(21)).one("time")
    assert (time["datetime"], time.text) == ("2026-11-21T10:00:00+00:00", "21 November 2026")


LINES = [
    ("Plan", euros(4900)),
    ("Unused time", euros(-1250), "credit"),
    ("VAT, included", euros(694), "quiet"),
]


def test_statement_marks_credits_by_sign_word_and_class(render: Render) -> None:
    page = render("{{ ui.statement(lines, 'Total', total) }}", lines=LINES, total=euros(4344))
    rows = page.select("dl.statement div")
    assert [row["class"] if "class" in row.attributes else "" for row in rows] == [
        "",
        "minus",
        "quiet",
        "total",
    ]
    assert rows[1].text == "Unused time (credit)−€12.50"
    assert rows[3].one("dd").text == "€43.44"


def test_statement_takes_objects_and_negative_totals(render: Render) -> None:
    lines = [SimpleNamespace(label="Plan", amount=euros(-500), kind="credit", detail="November")]
    page = render("{{ ui.statement(lines, 'Credit', total) }}", lines=lines, total=euros(-500))
    assert page.one("small").text == "November"
    assert page.one(".total dd").text == "−€5.00"


def test_statement_is_a_table_of_the_same_words_in_mail(render: Render) -> None:
    call = "{{ ui.statement(lines, 'Total', total, table=%s) }}"
    page, mail = (render(call % flag, lines=LINES, total=euros(4344)) for flag in ("False", "True"))
    assert mail.text == page.text
    assert len(mail.select("table.statement tr")) == 4


@pytest.mark.parametrize(
    ("state", "kind", "word"),
    [
        ("paid", "good", "Paid"),
        ("handled", "good", "Handled"),
        ("processing", "info", "Processing"),
        ("open", "info", "Open"),
        ("past_due", "warn", "Past due"),
        ("parked", "warn", "Parked"),
        ("failed", "bad", "Failed"),
        ("dead", "bad", "Gave up"),
        ("canceled", "idle", "Cancelled"),
        ("ignored", "idle", "Ignored"),
        ("some_new.state", "idle", "Some new state"),
        (SimpleNamespace(value="LOST"), "bad", "Lost"),
    ],
)
def test_tag_tells_a_state_in_shape_and_word(render: Render, state: object, kind: str, word: str) -> None:
    tag = render("{{ ui.tag(state) }}", state=state).one("span.tag")
    assert (tag["class"], tag.text) == (f"tag {kind}", word)


def test_every_state_of_the_gallery_has_a_word_without_underscores(render: Render) -> None:
    for state in STATES:
        assert "_" not in render("{{ ui.tag(s) }}", s=state).text


def test_a_field_in_error_is_described_by_hint_and_error(render: Render) -> None:
    page = render(
        "{{ ui.field('email', 'Email', 'email', value='x', hint='H', error=['E'], autocomplete='email') }}"
    )
    control = page.one("input")
    assert control["aria-describedby"] == "email-hint email-err"
    assert (control["aria-invalid"], control["autocomplete"]) == ("true", "email")
    assert page.one("#email-err").text == "Error: E"


def test_a_password_is_never_written_back(render: Render) -> None:
    assert (
        "value"
        not in render("{{ ui.field('p', 'Password', 'password', value='secret') }}").one("input").attributes
    )


def test_the_summary_leads_to_the_control_of_a_question(render: Render) -> None:
    page = render(
        "{{ ui.problem({'to': 'Choose'}) }}{{ ui.choices('to', 'Plan', [('a', 'A'), ('b', 'B')], error='Choose') }}"
    )
    assert page.one(".problem a")["href"] == "#to"
    assert page.one("#to")["type"] == "radio"
    assert page.one("fieldset")["aria-describedby"] == "to-err"


def test_no_summary_without_errors(render: Render) -> None:
    assert render("{{ ui.problem({}) }}").text == ""


def test_a_button_with_an_action_is_a_form_with_a_token(render: Render) -> None:
    form = render(
        "{{ ui.btn('Pay', action='/pay', fields={'seen_total': 5}, name='way', value='card') }}"
    ).one("form")
    assert (form["method"], form["action"]) == ("post", "/pay")
    assert {i["name"]: i["value"] for i in form.select("input")} == {
        "csrf_token": "stand-in-token",
        "seen_total": "5",
    }
    assert (form.one("button")["name"], form.one("button")["value"]) == ("way", "card")


def test_json_shows_what_was_recorded(render: Render) -> None:
    assert render("{{ ui.json(v) }}", v={"a": "<it's & that>"}).text == """{ "a": "<it's & that>" }"""


def test_bars_hang_losses_below_zero(render: Render) -> None:
    page = render(
        "{{ ui.bars('L', [('Jan', [100, -50], true)], ['up', 'down'], [(-100, '-'), (0, '0'), (100, '+')], 200, 244) }}"
    )
    zero, up, down = page.one("line.zero"), page.one("rect.up"), page.one("rect.down")
    assert int(up["y"]) + int(up["height"]) == int(zero["y1"]) == int(down["y"])
    assert (up["height"], down["height"]) == ("100", "50")
    assert "now" in up["class"]


def test_nothing_to_turn_to_means_no_pager(render: Render) -> None:
    assert render("{{ ui.pager(none, none) }}").text == ""
    assert [a["rel"] for a in render("{{ ui.pager('/a', '/b') }}").select("a")] == ["prev", "next"]


TEXT_APP = make_app()
TEXT = TEXT_APP.jinja_env.from_string(
    '{% import "email/macros.txt" as m %}{{ m.statement(lines, "Total", total) }}'
)
WORDS = st.lists(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=14),
    min_size=1,
    max_size=14,
)


@given(st.lists(st.tuples(WORDS.map(" ".join), st.integers(-99_999_999, 99_999_999)), max_size=4))
def test_the_text_statement_lines_its_figures_up(lines: list[tuple[str, int]]) -> None:
    with TEXT_APP.app_context():
        text = TEXT.render(
            lines=[(label, euros(amount), "credit") for label, amount in lines], total=euros(1)
        )
    rows = text.splitlines()
    assert all(len(row) <= 64 for row in rows)
    assert [len(row) for row in rows if row.rstrip("=").endswith(tuple("0123456789")) and "€" in row] == [
        64
    ] * (len(lines) + 1)
