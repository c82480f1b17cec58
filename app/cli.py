"""The flask commands; each calls one verb."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import Any

import click
from cryptography.fernet import Fernet
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from flask_security import hash_password
from flask_security.mail_util import EmailValidateException
from sqlalchemy.exc import DatabaseError

from app import audit as audit_log
from app import demo, gateway, health, queue, tasks
from app.account import reset
from app.billing import catalog, catalog_sync, events
from app.extensions import db, mean_to_write, security
from app.fraud import lists
from app.models.user import STAFF_ROLES


def init_app(app: Flask) -> None:
    for group in (catalog_commands, users, audit, fraud, stripe, keys):
        app.cli.add_command(group)
    for command in (worker, run_demo, simulator, travel):
        app.cli.add_command(command)


def _need_schema() -> None:
    """Say what to do about a database that is away, empty or behind, before anything else stumbles over it."""
    try:
        current = health.current_revision()
    except DatabaseError as error:
        raise click.ClickException(f"The database cannot be read: {error.orig}\nSee DATABASE_URL.") from error
    if current != health.latest_revision():
        raise click.ClickException("The database is not up to date. Run: flask --app wsgi db upgrade")
    db.session.rollback()


catalog_commands = AppGroup("catalog", help="What the shop sells.")
users = AppGroup("users", help="Who may sign in.")
audit = AppGroup("audit", help="The append-only log.")
fraud = AppGroup("fraud", help="Lists that screening goes by.")
stripe = AppGroup("stripe", help="The connection to Stripe.")
keys = AppGroup("keys", help="Secrets for the settings.")


@catalog_commands.command("push")
@click.argument("file", type=click.Path(path_type=Path), required=False)
def catalog_push(file: Path | None) -> None:
    """Check FILE, bring it into the database, and make at Stripe what is new."""
    _need_schema()
    mean_to_write()
    settings = current_app.config["SETTINGS"]
    try:
        counts = catalog.load(catalog.read(file or settings.catalog_file))
    except catalog.CatalogError as error:
        raise click.ClickException(
            "The catalogue cannot be used:\n  " + "\n  ".join(error.problems)
        ) from error
    db.session.commit()
    try:
        made = list(catalog_sync.push())
    except gateway.StripeFailure as failure:
        raise click.ClickException(
            f"Stripe did not take it: {failure.raw}\nRun the command again."
        ) from failure
    click.echo(f"{counts['offers']} offers, {counts['prices']} prices; {len(made)} new objects at Stripe.")


@click.command("worker")
@with_appcontext
def worker() -> None:
    """Apply events and run tasks until told to stop; start as many as you like."""
    _need_schema()
    stop = queue.Stop()
    stop.install()
    follow = current_app.extensions.get("follow_clock", lambda: None)
    queue.run([events.work, tasks.work], stop, follow)


@click.command("demo")
@with_appcontext
def run_demo() -> None:
    """The whole shop on this machine, without any Stripe key: what `make run` starts."""
    sys.exit(demo.run(current_app.config["SETTINGS"]))


@click.command("simulator", context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def simulator(options: tuple[str, ...]) -> None:
    """The Stripe simulator alone (`python -m app.simulator`)."""
    demo.replace_process([sys.executable, "-m", "app.simulator", *options])


@click.command("travel")
@click.option("--days", type=click.IntRange(0, 730), default=0)
@click.option("--hours", type=click.IntRange(0, 24), default=0)
@with_appcontext
def travel(days: int, hours: int) -> None:
    """Move a local shop's clock ahead, and the simulator's with it; what falls due on the way happens."""
    _need_schema()
    mean_to_write()
    settings = current_app.config["SETTINGS"]
    if not settings.local or not settings.simulated:
        raise click.ClickException(
            "Only a local shop on the simulator can travel; Stripe's own clock cannot be set."
        )
    try:
        moment = demo.travel(settings, days * 86400 + hours * 3600)
    except OSError as error:
        raise click.ClickException(
            f"The simulator does not answer at {settings.stripe_api_base}: {error}"
        ) from error
    db.session.commit()
    click.echo(f"It is now {moment:%d %B %Y, %H:%M} UTC in this shop.")


@users.command("grant")
@click.argument("email")
@click.argument("role", type=click.Choice(STAFF_ROLES))
def users_grant(email: str, role: str) -> None:
    """Give EMAIL the staff role ROLE, instead of any it had, and print a one-time link to set a password."""
    _need_schema()
    mean_to_write()
    try:
        address = security.mail_util.normalize(email.strip())
    except EmailValidateException as error:
        raise click.ClickException(
            f"{email!r} is not an email address; use one like name@example.com."
        ) from error
    store: Any = security.datastore
    user = store.find_user(email=address, case_insensitive=True)
    if user is None:
        user = store.create_user(email=address, password=hash_password(secrets.token_urlsafe(32)))
    before = user.staff_role
    for held in [each for each in user.roles if each.name in STAFF_ROLES]:
        store.remove_role_from_user(user, held)
    store.add_role_to_user(user, store.find_or_create_role(role))
    db.session.flush()
    audit_log.record("user.grant", f"user:{user.id}", actor="operator", role=role, before=before)
    link = reset.link(user)
    db.session.commit()
    change = f", {before} until now" if before not in (None, role) else ""
    click.echo(
        f"{user.email} is {role}{change}.\nSet a password with this link; it works once, for an hour:\n{link}"
    )


@audit.command("verify")
@click.option("--json", "as_json", is_flag=True)
def audit_verify(as_json: bool) -> None:
    """Check that no row of the audit log was changed, removed or slipped in."""
    broken = [{"row": row, "problem": problem} for row, problem in audit_log.verify()]
    click.echo(json.dumps({"sound": not broken, "problems": broken}) if as_json else _audit_text(broken))
    sys.exit(1 if broken else 0)


def _audit_text(broken: list[dict[str, object]]) -> str:
    if not broken:
        return "The audit log is sound."
    return "\n".join(f"row {item['row']}: {item['problem']}" for item in broken)


@fraud.command("list-add")
@click.argument("list_name", type=click.Choice(lists.LISTS))
@click.argument("network")
@click.option("--note", default="")
def fraud_list_add(list_name: str, network: str, note: str) -> None:
    """Put NETWORK, such as 203.0.113.0/24, on the list `high_risk` or `refuse`."""
    _need_schema()
    mean_to_write()
    try:
        canonical = lists.add(list_name, network, actor="operator", note=note)
    except ValueError as error:
        raise click.ClickException(f"{network} is not a network: {error}") from error
    db.session.commit()
    click.echo(f"{canonical} is on {list_name}.")


@stripe.command("doctor")
def stripe_doctor() -> None:
    """Say whether the shop can talk to Stripe, and what to do if not."""
    settings = current_app.config["SETTINGS"]
    click.echo(f"Stripe at {settings.stripe_api_base}, version {gateway.API_VERSION}")
    click.echo("Mode: " + ("live, real money moves" if settings.livemode else "test, no real money moves"))
    try:
        account = gateway.account()
    except gateway.StripeFailure as failure:
        raise click.ClickException(f"Stripe refused or did not answer: {failure.raw}") from failure
    click.echo(f"The key works, for account {account['id']}.")
    if not settings.stripe_webhook_secrets:
        raise click.ClickException("STRIPE_WEBHOOK_SECRETS is empty: run `flask --app wsgi stripe setup`.")
    click.echo(f"{len(settings.stripe_webhook_secrets)} webhook secret(s) set.")


@stripe.command("setup")
@click.option("--url", help="Where Stripe reaches this shop; by default PUBLIC_URL.")
def stripe_setup(url: str | None) -> None:
    """Create the webhook endpoint at Stripe and print the secret to put into STRIPE_WEBHOOK_SECRETS."""
    _need_schema()
    mean_to_write()
    base = url or current_app.config["SETTINGS"].public_url
    call = gateway.prepare(
        "webhook_endpoints.create",
        {
            "url": f"{base}/webhooks/stripe",
            "enabled_events": sorted(events.HANDLERS),
            "api_version": gateway.API_VERSION,
            "description": "Countinghouse",
        },
        idempotency_key=f"webhook-endpoint:{secrets.token_hex(8)}",
    )
    db.session.commit()
    try:
        endpoint = gateway.perform(call)
    except gateway.StripeFailure as failure:
        raise click.ClickException(f"Stripe refused: {failure.raw}") from failure
    click.echo(
        f"Endpoint {endpoint['id']} created. Set:\nSTRIPE_WEBHOOK_SECRETS='[\"{endpoint['secret']}\"]'"
    )


@keys.command("new")
def keys_new() -> None:
    """Print a fresh SECRET_KEY and FIELD_KEYS."""
    click.echo(f"SECRET_KEY={secrets.token_urlsafe(48)}")
    click.echo(f"FIELD_KEYS='[\"{Fernet.generate_key().decode()}\"]'")
