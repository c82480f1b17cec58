"""Settings: every unsafe boot is refused, all that is wrong named at once, in words that say what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.config import LOCAL_FIELD_KEY, LOCAL_SECRET, Settings, UnsafeSettings
from tests.infra.run import ROOT

SECRET = "kq3ZtYx0-8vPqWmA7hLr2sD9uEfGjC5bN1oI4nT6"
PRODUCTION = {
    "APP_ENV": "production",
    "DATABASE_URL": "postgresql+psycopg://shop:secret@db/shop",
    "SECRET_KEY": SECRET,
    "FIELD_KEYS": f'["{Fernet.generate_key().decode()}"]',
    "PUBLIC_URL": "https://shop.example.com",
    "STRIPE_SECRET_KEY": "sk_live_" + "a1B2" * 6,
    "STRIPE_WEBHOOK_SECRETS": '["whsec_' + "a1B2" * 6 + '"]',
    "MAIL_URL": "smtp://user:password@mail.example.com:587",
}
LOCAL: dict[str, str] = {}

UNSAFE: list[tuple[str, dict[str, str], dict[str, str | None], str]] = [
    ("no secret", PRODUCTION, {"SECRET_KEY": None}, "SECRET_KEY is missing or weak"),
    ("short secret", PRODUCTION, {"SECRET_KEY": "x1y2z3"}, "SECRET_KEY is missing or weak"),
    ("monotonous secret", PRODUCTION, {"SECRET_KEY": "a" * 64}, "SECRET_KEY is missing or weak"),
    ("local secret", PRODUCTION, {"SECRET_KEY": LOCAL_SECRET}, "SECRET_KEY is missing or weak"),
    ("old secret as text", PRODUCTION, {"SECRET_KEY_FALLBACKS": SECRET}, "not a JSON list of strings"),
    ("old secret as JSON text", PRODUCTION, {"SECRET_KEY_FALLBACKS": f'"{SECRET}"'}, "not a JSON list"),
    ("short old secret", PRODUCTION, {"SECRET_KEY_FALLBACKS": '["short"]'}, "under 32 characters"),
    ("no field key", PRODUCTION, {"FIELD_KEYS": None}, "FIELD_KEYS is missing"),
    ("local field key", PRODUCTION, {"FIELD_KEYS": f'["{LOCAL_FIELD_KEY}"]'}, "FIELD_KEYS is missing"),
    ("no Fernet key", PRODUCTION, {"FIELD_KEYS": '["abc"]'}, "no Fernet key"),
    ("field key as text", PRODUCTION, {"FIELD_KEYS": "abc"}, "FIELD_KEYS is not a JSON list"),
    ("no mail server", PRODUCTION, {"MAIL_URL": None}, "MAIL_URL is missing"),
    ("mistyped mail server", PRODUCTION, {"MAIL_URL": "smpt://mail"}, "MAIL_URL starts with none"),
    ("no number as a worth", LOCAL, {"USD_WORTH": '{"eur": "lots"}'}, "USD_WORTH holds 'lots' for eur"),
    ("test key", PRODUCTION, {"STRIPE_SECRET_KEY": "sk_test_x"}, "not a live key"),
    ("no key", PRODUCTION, {"STRIPE_SECRET_KEY": None}, "not a live key"),
    ("publishable key", PRODUCTION, {"STRIPE_SECRET_KEY": "pk_live_x"}, "not a live key"),
    ("nonsense key allowed", PRODUCTION, {"STRIPE_SECRET_KEY": "x", "ALLOW_TEST_KEY_IN_PRODUCTION": "1"}, "not a live key"),
    ("live key elsewhere", PRODUCTION, {"STRIPE_API_BASE": "https://evil.example"}, "elsewhere than to https://api.stripe.com"),
    ("no webhook secret", PRODUCTION, {"STRIPE_WEBHOOK_SECRETS": None}, "STRIPE_WEBHOOK_SECRETS is empty"),
    ("empty list", PRODUCTION, {"STRIPE_WEBHOOK_SECRETS": "[]"}, "STRIPE_WEBHOOK_SECRETS is empty"),
    ("blank webhook secret", PRODUCTION, {"STRIPE_WEBHOOK_SECRETS": '[""]'}, "not a JSON list of strings"),
    ("webhook secret as text", PRODUCTION, {"STRIPE_WEBHOOK_SECRETS": "whsec_abc"}, "not a JSON list of strings"),
    ("other webhook secret", PRODUCTION, {"STRIPE_WEBHOOK_SECRETS": '["sk_live_abcdefghijklmnop"]'}, "no whsec_"),
    ("plain http", PRODUCTION, {"PUBLIC_URL": "http://shop.example.com"}, "does not start with https://"),
    ("no address", PRODUCTION, {"PUBLIC_URL": None}, "use an address like https://shop.example.com"),
    ("broken address", PRODUCTION, {"PUBLIC_URL": "https://[shop"}, "use an address like https://shop.example.com"),
    ("broken address at home", LOCAL, {"STRIPE_API_BASE": "http://[::1"}, "use an address like"),
    ("other mail", PRODUCTION, {"MAIL_URL": "imap://x"}, "starts with none of smtp://"),
    ("no worth", PRODUCTION, {"USD_WORTH": '{"eur": "much"}'}, "holds 'much' for eur"),
    ("endless worth", PRODUCTION, {"USD_WORTH": '{"eur": "Infinity"}'}, "holds 'Infinity' for eur"),
    ("no scheme", PRODUCTION, {"PUBLIC_URL": "shop.example.com"}, "use an address like"),
    ("SQLite", PRODUCTION, {"DATABASE_URL": "sqlite:///shop.db"}, "DATABASE_URL is SQLite"),
    ("SQLite by default", PRODUCTION, {"DATABASE_URL": None}, "DATABASE_URL is SQLite"),
    ("other driver", PRODUCTION, {"DATABASE_URL": "postgres://db/shop"}, "starts with neither"),
    ("other cache", PRODUCTION, {"REDIS_URL": "memcached://x"}, "starts with none of"),
    ("proxies", PRODUCTION, {"TRUSTED_PROXIES": "all"}, "use a whole number from 0 to 5"),
    ("other script's digits", PRODUCTION, {"TRUSTED_PROXIES": "²"}, "use a whole number from 0 to 5"),
    ("hosts as text", PRODUCTION, {"TRUSTED_HOSTS": "shop.example.com"}, "TRUSTED_HOSTS is not a JSON list"),
    ("tolerance", PRODUCTION, {"STRIPE_WEBHOOK_TOLERANCE": "100000"}, "from 1 to 600"),
    ("worth", PRODUCTION, {"USD_WORTH": "[1]"}, "USD_WORTH is not a JSON object"),
    ("environment", LOCAL, {"APP_ENV": "staging"}, "use one of local, test, production"),
    ("log level", LOCAL, {"LOG_LEVEL": "LOUD"}, "use one of DEBUG"),
    ("live key at home", LOCAL, {"STRIPE_SECRET_KEY": "sk_live_x"}, "use a test key"),
    ("restricted live key at home", LOCAL, {"STRIPE_SECRET_KEY": "rk_live_x"}, "use a test key"),
    ("public address at home", LOCAL, {"PUBLIC_URL": "https://shop.example.com"}, "not on this machine"),
    ("open door at home", LOCAL, {"WEB_BIND": "0.0.0.0:8000"}, "not a loopback address"),
    ("open door at home, IPv6", LOCAL, {"WEB_BIND": "[::]:8000"}, "not a loopback address"),
    ("test like home", {"APP_ENV": "test"}, {"STRIPE_SECRET_KEY": "sk_live_x"}, "use a test key"),
]  # fmt: skip


def environment(base: dict[str, str], changes: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("base", "changes", "said"), [row[1:] for row in UNSAFE], ids=[row[0] for row in UNSAFE]
)
def test_an_unsafe_boot_is_refused(base: dict[str, str], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsafeSettings) as refusal:
        Settings.from_env(environment(base, changes))
    assert said in str(refusal.value)
    assert refusal.value.code not in (0, None)
    assert SECRET not in str(refusal.value)


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(UnsafeSettings) as refusal:
        Settings.from_env({"APP_ENV": "production"})
    names = {problem.split()[0] for problem in refusal.value.problems}
    assert names >= {"SECRET_KEY", "FIELD_KEYS", "PUBLIC_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS", "DATABASE_URL"}  # fmt: skip
    assert str(refusal.value).startswith("Countinghouse refuses to start:\n  - ")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"STRIPE_SECRET_KEY": "rk_live_abcdefgh"},
        {"SECRET_KEY_FALLBACKS": f'["{SECRET}x"]', "TRUSTED_PROXIES": "2"},
        {"DATABASE_URL": "sqlite:///shop.db", "ALLOW_SQLITE_IN_PRODUCTION": "1"},
        {"STRIPE_SECRET_KEY": "sk_test_x", "ALLOW_TEST_KEY_IN_PRODUCTION": "1"},
        {"REDIS_URL": "redis://cache:6379/0", "USD_WORTH": '{"EUR": "1.2"}'},
    ],
)
def test_a_safe_production_boots(changes: dict[str, str]) -> None:
    settings = Settings.from_env(environment(PRODUCTION, changes))
    assert settings.production and not settings.local
    assert settings.livemode is settings.stripe_secret_key.startswith(("sk_live_", "rk_live_"))
    assert not settings.simulated


def test_nothing_needs_to_be_set_at_home() -> None:
    settings = Settings.from_env({})
    assert settings.local and settings.simulated and not settings.livemode
    assert settings.public_url == "http://localhost:8000"
    assert settings.database_url.startswith("sqlite:///")


def test_a_key_of_ones_own_talks_to_stripe_itself() -> None:
    assert (
        Settings.from_env({"STRIPE_SECRET_KEY": "sk_test_mine"}).stripe_api_base == "https://api.stripe.com"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"APP_ENV": "production"}, "SECRET_KEY is missing or weak"),
        ({**PRODUCTION, "STRIPE_SECRET_KEY": "sk_test_x"}, "STRIPE_SECRET_KEY is not a live key"),
        ({"WEB_BIND": "0.0.0.0:8000"}, "WEB_BIND is not a loopback address"),
    ],
)
@pytest.mark.parametrize("command", [["-c", "import wsgi"], ["-m", "flask", "--app", "wsgi", "worker"]])
def test_the_process_ends_and_says_why(command: list[str], changes: dict[str, str], said: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in PRODUCTION}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**inherited, **changes},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
