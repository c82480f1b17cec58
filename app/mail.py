"""Mail: queued with the fact it tells, rendered and delivered by a task; HTML with a text twin.

A mail goes out at least once, always with the same Message-ID; what it says is gathered by the room that owns
the template (`@context("receipt")`).
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import css_inline
from flask import current_app, render_template
from flask_babel import force_locale
from sqlalchemy import select

from app import clock, tasks
from app.config import ROOT
from app.crypto import public_id
from app.extensions import db
from app.models.mail import Mail

Context = Callable[[Mail], dict[str, Any]]
CONTEXTS: dict[str, Context] = {}
SMTP_TIMEOUT = 20.0


def context(template: str) -> Callable[[Context], Context]:
    """Register what a template of templates/email is rendered with: at least `subject`."""

    def register(gather: Context) -> Context:
        CONTEXTS[template] = gather
        return gather

    return register


def send(
    template: str, to: str, *, key: str, locale: str = "en", order_id: int | None = None, **context: Any
) -> None:
    """Queue one mail in the caller's transaction; the same `key` never queues a second one."""
    if db.session.scalar(select(Mail.id).where(Mail.unique_key == key)) is not None:
        return
    identity = public_id("mail")
    host = urlsplit(current_app.config["SETTINGS"].public_url).hostname
    mail = Mail(
        public_id=identity,
        unique_key=key,
        message_id=f"<{identity}@{host}>",
        template=template,
        recipient=to,
        locale=locale,
        order_id=order_id,
        context=context,
    )
    db.session.add(mail)
    db.session.flush()
    tasks.enqueue("deliver_mail", unique_key=f"mail:{identity}", mail_id=mail.id)


@tasks.task("deliver_mail", priority=tasks.MAIL)
def deliver(mail_id: int) -> dict[str, Any]:
    """Render once, hand over, note the time. A crash between hand-over and note repeats the same message."""
    mail = db.session.get_one(Mail, mail_id)
    if mail.sent_at is not None:
        return {"sent": False}
    if mail.html is None:
        render(mail)
        db.session.commit()
    message = compose(mail)
    db.session.rollback()  # no transaction is open while a mail server takes its time
    _hand_over(message, mail.public_id)
    db.session.get_one(Mail, mail_id).sent_at = clock.now()
    return {"sent": True}


def render(mail: Mail) -> None:
    """Fill in subject, HTML and text in the recipient's language."""
    with force_locale(mail.locale):
        values = CONTEXTS[mail.template](mail)
        mail.subject = str(values["subject"])
        html = render_template(f"email/{mail.template}.html", **values)
        mail.text = render_template(f"email/{mail.template}.txt", **values)
    mail.html = css_inline.CSSInliner(extra_css=_stylesheet(), load_remote_stylesheets=False).inline(html)


@cache
def _stylesheet() -> str:
    return (ROOT / "static" / "css" / "email.css").read_text()


def compose(mail: Mail) -> EmailMessage:
    """The message as it goes out."""
    message = EmailMessage()
    message["From"] = current_app.config["SETTINGS"].mail_from
    message["To"] = mail.recipient
    message["Subject"] = (mail.subject or "").replace("\n", " ")
    message["Message-ID"] = mail.message_id
    message["Date"] = format_datetime(mail.created_at)
    message.set_content(mail.text or "")
    message.add_alternative(mail.html or "", subtype="html")
    return message


def _hand_over(message: EmailMessage, identity: str) -> None:
    """To the mail server, or into the folder where a local shop's mails land."""
    url = urlsplit(current_app.config["SETTINGS"].mail_url)
    if url.scheme not in ("smtp", "smtps"):
        folder = Path(unquote(url.path)) if url.scheme == "file" else ROOT / "var" / "mail"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{identity}.eml").write_bytes(message.as_bytes())
        return
    kind = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    with kind(url.hostname or "localhost", url.port or 0, timeout=SMTP_TIMEOUT) as server:
        if url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls()
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)
