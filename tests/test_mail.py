"""Mail: one message for one fact, handed to a real server at least once, always under the same Message-ID."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import ChoiceLoader, DictLoader
from sqlalchemy import func, select, text
from sqlalchemy.orm import scoped_session

from app import mail, tasks
from app.extensions import db, mean_to_write
from app.models import ExecutionTask, ListEntry, Mail, QueueState
from tests.infra import databases, ports, smtp, wait

Travel = Callable[..., None]
PAGE = '<html><body><h1 class="title">{{ greeting }}</h1><p>{{ name }}</p></body></html>'
TWIN = "{{ greeting }}\n{{ name }}\n"


@pytest.fixture
def server() -> Iterator[smtp.MailServer]:
    with smtp.MailServer() as server:
        yield server


@pytest.fixture
def environ(environ: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    if "server" in request.fixturenames:
        environ["MAIL_URL"] = request.getfixturevalue("server").url
    return {**environ, "MAIL_FROM": "Shop <shop@shop.example>", "LOG_LEVEL": "ERROR"}


@pytest.fixture(autouse=True)
def _greeting(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template of this test's own, and no schedule."""
    app.jinja_loader = ChoiceLoader(
        [DictLoader({"email/greeting.html": PAGE, "email/greeting.txt": TWIN}), app.jinja_loader]
    )

    def gather(message: Mail) -> dict[str, str]:
        from flask_babel import get_locale

        hello = {"de": "Grüße"}.get(str(get_locale()), "Hello")
        name = message.context.get("name", "A Buyer")
        return {"subject": f"{hello}, {name}", "greeting": hello, "name": name}

    monkeypatch.setitem(mail.CONTEXTS, "greeting", gather)
    monkeypatch.setattr(tasks, "REGISTRY", {"deliver_mail": tasks.REGISTRY["deliver_mail"]})


def send(to: str = "buyer@example.com", *, key: str = "greeting:1", **options: object) -> None:
    mean_to_write()
    mail.send("greeting", to, key=key, **options)
    db.session.commit()


def work() -> ExecutionTask:
    """Have a worker run what is due; the last task as it stands then."""
    mean_to_write()
    while tasks.work("worker"):
        pass
    db.session.rollback()
    return db.session.scalars(select(ExecutionTask).order_by(ExecutionTask.id.desc()).limit(1)).one()


def only_mail() -> Mail:
    return db.session.scalars(select(Mail)).one()


@databases.both
def test_a_mail_reaches_its_reader_in_two_forms(db_session: scoped_session, server: smtp.MailServer) -> None:
    send(name="Żółw & <Söhne>")
    task = work()
    assert (task.state, task.result, task.priority) == (QueueState.DONE, {"sent": True}, tasks.MAIL)
    (delivery,) = server.deliveries
    message = delivery.message
    assert (delivery.sender, delivery.recipients) == ("shop@shop.example", ["buyer@example.com"])
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message.get_body(("plain",)).get_content() == "Hello\nŻółw & <Söhne>\n"
    page = message.get_body(("html",)).get_content()
    assert "Żółw &amp; &lt;Söhne&gt;" in page
    assert "<h1" in page
    assert str(message["Subject"]) == "Hello, Żółw & <Söhne>"
    assert (message["To"], message["From"]) == ("buyer@example.com", "Shop <shop@shop.example>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert delivery.raw.isascii()
    sent = only_mail()
    assert message["Message-ID"] == sent.message_id
    assert sent.sent_at is not None
    assert message["Date"].datetime == sent.created_at.replace(microsecond=0)
    assert work().result == {"sent": True}  # nothing more to do
    assert len(server.deliveries) == 1


@databases.both
def test_one_fact_is_told_once(app: Flask) -> None:
    start = threading.Barrier(6)

    def tell() -> None:
        with app.app_context():
            start.wait()
            send(key="receipt:1")

    threads = [threading.Thread(target=tell) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        send(key="receipt:1")
        assert db.session.scalar(select(func.count()).select_from(Mail)) == 1
        assert db.session.scalar(select(func.count()).select_from(ExecutionTask)) == 1


def test_a_mail_comes_and_goes_with_its_transaction(
    db_session: scoped_session, server: smtp.MailServer
) -> None:
    mean_to_write()
    mail.send("greeting", "buyer@example.com", key="greeting:1")
    db_session.rollback()
    assert tasks.work("worker") == 0
    assert server.deliveries == []


def test_nobody_s_address_stands_in_the_database(db_session: scoped_session) -> None:
    send(name="Bo")
    work()
    row = db_session.execute(text("SELECT * FROM mails")).mappings().one()
    assert b"buyer@example.com" not in b"".join(bytes(v) for v in row.values() if isinstance(v, bytes))
    assert "buyer@example.com" not in str([v for v in row.values() if isinstance(v, str)])


@databases.both
def test_a_crash_between_handing_over_and_noting_repeats_the_same_message(
    db_session: scoped_session, server: smtp.MailServer, travel: Travel
) -> None:
    """The server kept the message, and its answer was lost."""
    server.lose_answer = True
    send()
    assert work().state == QueueState.WAITING
    assert only_mail().sent_at is None
    db_session.rollback()
    server.lose_answer = False
    travel(minutes=1)
    assert work().state == QueueState.DONE
    first, second = server.deliveries
    assert first.raw == second.raw
    assert first.message["Message-ID"] == only_mail().message_id


def test_what_was_rendered_once_is_not_rendered_anew(
    db_session: scoped_session, server: smtp.MailServer, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refuse = 451
    send()
    work()
    db_session.rollback()
    monkeypatch.delitem(mail.CONTEXTS, "greeting")
    server.refuse = None
    travel(minutes=1)
    assert work().state == QueueState.DONE


@pytest.mark.parametrize("refusal", [421, 451, 550])
def test_a_server_that_refuses_is_asked_again_later(
    db_session: scoped_session, server: smtp.MailServer, travel: Travel, refusal: int
) -> None:
    server.refuse = refusal
    send()
    task = work()
    assert (task.state, task.attempts) == (QueueState.WAITING, 1)
    assert str(refusal) in task.error
    db_session.rollback()
    server.refuse = None
    travel(minutes=1)
    assert work().state == QueueState.DONE
    assert len(server.deliveries) == 1


def test_a_server_that_is_down_for_hours_gets_the_mail_when_it_is_back(
    db_session: scoped_session, app: Flask, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = ports.reserve()
    settings = app.config["SETTINGS"]
    monkeypatch.setitem(
        app.config,
        "SETTINGS",
        settings.__class__(**{**vars(settings), "mail_url": f"smtp://127.0.0.1:{port}"}),
    )
    send()
    hours = 0.0
    while hours < 7:
        task = work()
        assert task.state == QueueState.WAITING
        db_session.rollback()
        travel(hours=0.5)
        hours += 0.5
    with smtp.MailServer(port) as server:
        travel(hours=8)
        assert work().state == QueueState.DONE
        assert len(server.deliveries) == 1


@databases.both
def test_while_a_server_takes_its_time_nobody_else_waits(app: Flask, server: smtp.MailServer) -> None:
    """At the first try and at a later one: no transaction of ours is open meanwhile."""
    with app.app_context():
        send()
        server.refuse = 451
        work()
        server.refuse = None
        mean_to_write()
        task = db.session.scalars(select(ExecutionTask)).one()
        task.run_at = task.queued_at
        db.session.commit()
        send(key="greeting:2")
    for number in (1, 2):
        server.hold.clear()

        def deliver() -> None:
            with app.app_context():
                mean_to_write()
                tasks.work("worker")

        delivering = threading.Thread(target=deliver)
        delivering.start()
        wait.until(lambda number=number: len(server.deliveries) == number, "the server has the message")
        with app.app_context():
            mean_to_write()
            db.session.add(ListEntry(list_name="high_risk", network=f"192.0.2.{number}/32"))
            db.session.commit()
            assert delivering.is_alive(), "a writer had to wait for the mail server"
        server.hold.set()
        delivering.join()
    with app.app_context():
        assert db.session.scalar(select(func.count()).where(Mail.sent_at.is_not(None))) == 2


def test_a_server_that_never_answers_is_left_after_a_while(
    db_session: scoped_session, server: smtp.MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "SMTP_TIMEOUT", 0.3)
    server.silent = True
    send()
    task = work()
    assert task.state == QueueState.WAITING
    assert "timed out" in task.error or "TimeoutError" in task.error
    assert ExecutionTask.LEASE.total_seconds() / 3 > mail.SMTP_TIMEOUT


HOSTILE = [
    "buyer@example.com\r\nBcc: everybody@example.com",
    "buyer@example.com\nBcc: everybody@example.com",
    "buyer@example.com, everybody@example.com",
    "a,everybody@example.com",
    "Everybody <everybody@example.com>",
    "buyer@example.com\r\n\r\nAnother body",
    "no address",
    "@example.com",
    "",
]


@pytest.mark.parametrize("recipient", HOSTILE)
def test_no_address_carries_a_header_or_a_second_reader(
    db_session: scoped_session, server: smtp.MailServer, recipient: str
) -> None:
    send(recipient)
    assert work().state == QueueState.WAITING
    assert server.deliveries == []


@pytest.mark.parametrize(
    "name",
    ["x\r\nBcc: everybody@example.com", "x\nX-Evil: 1", "x\rX-Evil: 1", "x\u2028X-Evil: 1", "x\x0bX-Evil: 1"],
)
def test_no_subject_carries_a_header(db_session: scoped_session, server: smtp.MailServer, name: str) -> None:
    send(name=name)
    assert work().state == QueueState.DONE
    message = server.deliveries[0].message
    assert server.deliveries[0].recipients == ["buyer@example.com"]
    assert (message["Bcc"], message["X-Evil"]) == (None, None)
    assert str(message["Subject"]).startswith("Hello, x ")


def test_an_international_domain_is_written_as_mail_servers_know_it(
    db_session: scoped_session, server: smtp.MailServer
) -> None:
    send("buyer@bücher.example")
    assert work().state == QueueState.DONE
    assert server.deliveries[0].recipients == ["buyer@xn--bcher-kva.example"]
    assert server.deliveries[0].message["To"] == "buyer@xn--bcher-kva.example"


@pytest.mark.parametrize(("locale", "word"), [("en", "Hello"), ("de", "Grüße")])
def test_the_reader_s_language(
    db_session: scoped_session, server: smtp.MailServer, locale: str, word: str
) -> None:
    send(locale=locale)
    work()
    message = server.deliveries[0].message
    assert str(message["Subject"]).startswith(word)
    assert message.get_body(("plain",)).get_content().startswith(word)


def test_without_a_server_mails_land_in_a_folder(
    db_session: scoped_session, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = app.config["SETTINGS"]
    folder = tmp_path / "a folder" / "mail"
    monkeypatch.setitem(
        app.config, "SETTINGS", settings.__class__(**{**vars(settings), "mail_url": folder.as_uri()})
    )
    send()
    assert work().state == QueueState.DONE
    (file,) = folder.iterdir()
    assert file.name == f"{only_mail().public_id}.eml"
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert message["Message-ID"] == only_mail().message_id
    assert message.get_body(("plain",)).get_content() == "Hello\nA Buyer\n"


def test_a_password_is_said_in_secret(
    db_session: scoped_session,
    app: Flask,
    server: smtp.MailServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Encrypted where the server offers it; and to a machine elsewhere never in clear."""
    settings = app.config["SETTINGS"]

    def use(url: str) -> None:
        monkeypatch.setitem(app.config, "SETTINGS", settings.__class__(**{**vars(settings), "mail_url": url}))

    server.certificate = smtp.certificate(tmp_path / "server.pem")
    use(f"smtp://us%40er:pass@127.0.0.1:{server.port}")
    send()
    assert work().state == QueueState.DONE
    assert server.passwords == [("us@er", True)]
    assert (server.deliveries[0].encrypted, server.deliveries[0].user) == (True, "us@er")

    monkeypatch.setattr(mail, "LOCAL_HOSTS", frozenset())  # as if it stood elsewhere
    db_session.rollback()
    send(key="greeting:2")
    task = work()
    assert "CERTIFICATE_VERIFY_FAILED" in task.error
    server.certificate = None
    db_session.rollback()
    send(key="greeting:3")
    assert "no encryption" in work().error
    assert len(server.passwords) == len(server.deliveries) == 1


def test_a_server_that_speaks_only_in_secret(
    db_session: scoped_session,
    app: Flask,
    server: smtp.MailServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = app.config["SETTINGS"]
    server.certificate, server.encrypted = smtp.certificate(tmp_path / "server.pem"), True
    url = f"smtps://user:pass@127.0.0.1:{server.port}"
    monkeypatch.setitem(app.config, "SETTINGS", settings.__class__(**{**vars(settings), "mail_url": url}))
    send()
    assert work().state == QueueState.DONE
    assert (server.passwords, server.deliveries[0].encrypted) == ([("user", True)], True)


def test_a_mail_that_went_out_does_not_go_out_again(
    db_session: scoped_session, server: smtp.MailServer
) -> None:
    send()
    work()
    assert mail.deliver(only_mail().id) == {"sent": False}
    assert len(server.deliveries) == 1
