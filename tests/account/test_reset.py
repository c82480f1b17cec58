"""A new password: a link by mail or from the command line, good once, for an hour, on our own address."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select

from tests.account.people import PASSWORD, account, signed_in
from tests.infra.shop import ClientRequest, Travel, path_of

NEW = "another horse battery"


@pytest.fixture
def visitor(app: Flask) -> ClientRequest:
    return ClientRequest(app.test_client())


def link_for(app: Flask, address: str) -> str:
    """The path of a fresh link for this account."""
    from app.account import reset
    from app.extensions import security

    with app.app_context():
        return path_of(reset.link(security.datastore.find_user(email=address)))


def choose(visitor: ClientRequest, link: str, status: int = 302, **values: str) -> object:
    return visitor.submit(link, "main form", status, **{"password": NEW, "password_confirm": NEW, **values})


def may_sign_in(app: Flask, address: str, password: str) -> bool:
    visitor = ClientRequest(app.test_client())
    answer = visitor.client.post("/login", data=_filled(visitor, email=address, password=password))
    return answer.status_code == 302


def _filled(visitor: ClientRequest, **values: str) -> dict[str, str]:
    from tests.infra.shop import filled

    return {**filled(visitor.get("/login").one("main form")), **values}


def run_tasks(app: Flask) -> None:
    """What the worker does until nothing is due."""
    from app import tasks
    from app.extensions import mean_to_write

    with app.app_context():
        mean_to_write()
        while tasks.work("tests"):
            pass


def test_a_link_sets_a_password_once(app: Flask, visitor: ClientRequest) -> None:
    from app.extensions import db
    from app.models import AuditRow

    address = account(app, "viewer")
    link = link_for(app, address)
    assert choose(visitor, link) == "/login"
    assert "Your new password is set" in visitor.get("/login").one(".note").text
    assert may_sign_in(app, address, NEW) and not may_sign_in(app, address, PASSWORD)
    visitor.get(link, 302)
    assert visitor.response.location == "/reset"
    assert "was used before" in visitor.get("/reset").one(".note").text
    with app.app_context():
        row = db.session.scalars(select(AuditRow)).one()
        assert row.action == "user.password_set" and row.actor == row.subject


def test_a_used_link_changes_nothing_when_sent_again(app: Flask, visitor: ClientRequest) -> None:
    from tests.account.people import token

    address = account(app)
    link = link_for(app, address)
    choose(visitor, link)
    visitor.get("/login")
    visitor.post(
        link, {"csrf_token": token(visitor), "password": PASSWORD, "password_confirm": PASSWORD}, 302
    )
    assert may_sign_in(app, address, NEW)


def test_links_die_with_the_password_they_were_made_for(app: Flask, visitor: ClientRequest) -> None:
    address = account(app)
    first, second = link_for(app, address), link_for(app, address)
    choose(visitor, second)
    visitor.get(first, 302)


def test_a_link_lives_an_hour_of_the_shops_time(app: Flask, visitor: ClientRequest, travel: Travel) -> None:
    address = account(app)
    link = link_for(app, address)
    travel(minutes=59)
    visitor.get(link)
    travel(minutes=2)
    visitor.get(link, 302)
    assert "has expired" in visitor.get("/reset").one(".note").text


def test_setting_a_password_signs_out_everywhere(app: Flask, visitor: ClientRequest) -> None:
    elsewhere = signed_in(app, "owner", "owner@shop.test")
    elsewhere.get("/ops")
    choose(visitor, link_for(app, "owner@shop.test"))
    elsewhere.get("/ops", 302)


@pytest.mark.parametrize("garbage", ["x", "a.b.c", "%00", "..%2f", "é", "W10.aaaa.bbbb", "x" * 3000])
def test_a_made_up_link_leads_to_a_new_one(visitor: ClientRequest, garbage: str) -> None:
    visitor.response = visitor.client.get(f"/reset/{garbage}")
    assert visitor.response.status_code in (302, 400, 404)
    if visitor.response.status_code == 302:
        assert "does not work" in visitor.get("/reset").one(".note").text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"password": "short", "password_confirm": "short"}, "Choose a password of at least 15 characters"),
        ({"password_confirm": "something else long"}, "Repeat the same password"),
        ({"password": "", "password_confirm": ""}, "Enter your password"),
    ],
)
def test_a_password_that_will_not_do_is_told_why(
    app: Flask, visitor: ClientRequest, values: dict[str, str], said: str
) -> None:
    link = link_for(app, account(app))
    page = choose(visitor, link, 422, **values)
    assert said in [item.text for item in page.select(".problem li")]
    visitor.get(link)


def test_asking_mails_a_link_on_our_own_address(app: Flask, visitor: ClientRequest) -> None:
    from app.extensions import db
    from app.models import Mail

    address = account(app, "operator", "Zoe@shop.test")
    visitor.client.environ_base["HTTP_HOST"] = "evil.example"
    assert visitor.submit("/reset", "main form", 303, email="  ZOE@SHOP.TEST ") == "/reset"
    assert "If ZOE@shop.test has an account" in visitor.get("/reset").one(".note").text
    run_tasks(app)
    with app.app_context():
        mail = db.session.scalars(select(Mail)).one()
        assert mail.recipient == address and mail.sent_at is not None
        links = re.findall(r"https?://[^\s\"<>]+/reset/[^\s\"<>]+", f"{mail.html} {mail.text}")
        assert len(links) == 2 and len(set(links)) == 1
        assert links[0].startswith(app.config["SETTINGS"].public_url + "/reset/")
        assert "evil.example" not in f"{mail.html}{mail.text}"
        assert mail.context == {"user_id": 1}  # no token lies in the open
    choose(ClientRequest(app.test_client()), path_of(links[0]))
    assert may_sign_in(app, address, NEW)


def test_an_unknown_address_gets_the_same_answer_and_no_mail(app: Flask) -> None:
    from app.extensions import db
    from app.models import ExecutionTask, Mail

    known = account(app)
    seen = []
    for address in (known, "nobody@shop.test"):
        visitor = ClientRequest(app.test_client())
        where = visitor.submit("/reset", "main form", 303, email=address)
        seen.append((where, visitor.get("/reset").one(".note").text.replace(address, "")))
    assert seen[0] == seen[1]
    with app.app_context():
        queued = db.session.scalars(
            select(ExecutionTask).where(ExecutionTask.name == "send_reset_link")
        ).all()
        assert len(queued) == 2  # whether there is an account is found out later, by the worker
        assert not any(known in str(task.arguments) for task in queued)
    run_tasks(app)
    with app.app_context():
        assert [mail.recipient for mail in db.session.scalars(select(Mail))] == [known]


def test_one_mailbox_is_not_flooded(app: Flask, travel: Travel) -> None:
    from app.extensions import db
    from app.models import Mail

    address = account(app)
    for _ in range(3):
        ClientRequest(app.test_client()).submit("/reset", "main form", 303, email=address)
        run_tasks(app)
    travel(minutes=5)
    ClientRequest(app.test_client()).submit("/reset", "main form", 303, email=address)
    run_tasks(app)
    with app.app_context():
        # Three requests may straddle the border of two spans of time, no more.
        assert len(db.session.scalars(select(Mail)).all()) in (2, 3)


def test_no_address_is_no_request(visitor: ClientRequest) -> None:
    page = visitor.submit("/reset", "main form", 422, email="nonsense")
    assert page.one(".problem li").text == "Enter an email address like name@example.com"
    assert page.one("input[name=email]")["value"] == "nonsense"


def test_a_disabled_account_gets_no_mail(app: Flask, visitor: ClientRequest) -> None:
    from app.extensions import db, security
    from app.models import Mail

    address = account(app)
    with app.app_context():
        security.datastore.find_user(email=address).active = False
        db.session.commit()
    visitor.submit("/reset", "main form", 303, email=address)
    run_tasks(app)
    with app.app_context():
        assert db.session.scalars(select(Mail)).all() == []


def test_asking_again_and_again_is_stopped(app: Flask, visitor: ClientRequest) -> None:
    for number in range(10):
        visitor.submit("/reset", "main form", 303, email=f"person{number}@shop.test")
    visitor.submit("/reset", "main form", 429, email="person@shop.test")
