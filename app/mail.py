"""Mail: queued with the fact it tells, rendered and delivered by a task; HTML with a text twin.

A mail goes out at least once, always with the same Message-ID; what it says is gathered by the room that owns
the template (`@context("receipt")`).
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import css_inline
from flask import current_app, render_template
from flask_babel import force_locale

from app import clock, tasks
from app.config import LOCAL_HOSTS, ROOT
from app.crypto import public_id
from app.extensions import db
from app.models.mail import Mail

Context = Callable[[Mail], dict[str, Any]]
CONTEXTS: dict[str, Context] = {}
SMTP_TIMEOUT = 20.0
WIRE = policy.default.clone(cte_type="7bit")  # every mail server takes it, and no relay re-codes it


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
    identity = public_id("mail")
    host = urlsplit(current_app.config["SETTINGS"].public_url).hostname
    values = {
        "public_id": identity,
        "unique_key": key,
        "message_id": f"<{identity}@{host}>",
        "template": template,
        "recipient": to,
        "locale": locale,
        "order_id": order_id,
        "context": context,
    }
    mail_id = db.session.scalar(tasks.insert_or_ignore(Mail).values(**values).returning(Mail.id))
    if mail_id is not None:
        tasks.enqueue("deliver_mail", unique_key=f"mail:{identity}", mail_id=mail_id)


@tasks.task("deliver_mail", priority=tasks.MAIL)
def deliver(mail_id: int) -> dict[str, Any]:
    """Render once, hand over, note the time. A crash between hand-over and note repeats the same message."""
    mail = db.session.get_one(Mail, mail_id)
    if mail.sent_at is not None:
        return {"sent": False}
    if mail.html is None:
        render(mail)
    message, identity = compose(mail), mail.public_id
    # No transaction is open while a mail server takes its time, so nothing is read from the row until it did.
    db.session.commit()
    _hand_over(message, identity)
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
    """The message as it goes out: to one address, no header but ours. Raises ValueError where it is no address."""
    message = EmailMessage(policy=WIRE)
    message["From"] = current_app.config["SETTINGS"].mail_from
    message["To"] = _one_address(mail.recipient)
    message["Subject"] = " ".join((mail.subject or "").split())
    message["Message-ID"] = mail.message_id
    message["Date"] = format_datetime(mail.created_at)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text or "")
    message.add_alternative(mail.html or "", subtype="html")
    message.set_boundary(mail.public_id)  # not a random one: a repeated message is the same to the byte
    return message


def _one_address(text: str) -> Address:
    """Exactly one address, its domain in the form mail servers know; a list or a line break is no address."""
    local, _at, domain = text.strip().rpartition("@")
    return Address(addr_spec=f"{local}@{domain.encode('idna').decode()}")


def _hand_over(message: EmailMessage, identity: str) -> None:
    """To the mail server, or into the folder where a local shop's mails land."""
    url = urlsplit(current_app.config["SETTINGS"].mail_url)
    if url.scheme in ("smtp", "smtps"):
        with _server(url) as server:
            server.send_message(message)
        return
    folder = Path(unquote(url.path)) if url.scheme == "file" else ROOT / "var" / "mail"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{identity}.eml").write_bytes(message.as_bytes())


def _server(url: SplitResult) -> smtplib.SMTP:
    """Connected and signed in: encrypted where the server offers it, and always before a password is said.

    Certificates are checked, except on this machine, where nobody stands in between.
    """
    host = url.hostname or "localhost"
    trust = ssl.create_default_context()
    if host in LOCAL_HOSTS:
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    if url.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, url.port or 0, timeout=SMTP_TIMEOUT, context=trust)
    else:
        server = smtplib.SMTP(host, url.port or 0, timeout=SMTP_TIMEOUT)
    try:
        server.ehlo()
        if url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=trust)
        if url.username:
            if not isinstance(server.sock, ssl.SSLSocket) and host not in LOCAL_HOSTS:
                raise smtplib.SMTPNotSupportedError("the mail server offers no encryption for its password")
            server.login(unquote(url.username), unquote(url.password or ""))
    except BaseException:
        server.close()
        raise
    return server
