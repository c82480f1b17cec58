"""Every setting, read once from the environment, validated at boot, refusing unsafe ones.

`docs/configuration.md` lists each setting with its default and what refuses to boot.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ("local", "test", "production")
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

# Good enough to sign a cookie that never leaves this machine; refused everywhere else.
LOCAL_SECRET = "local-only-secret-key-never-used-in-production"  # noqa: S105
LOCAL_FIELD_KEY = "bG9jYWwtb25seS1maWVsZC1rZXktbm90LXNlY3JldCE="
LOCAL_STRIPE_KEY = "sk_test_countinghouse"
SIMULATOR_URL = "http://127.0.0.1:4242"


class UnsafeSettings(SystemExit):
    """The process refuses to start; the message names each setting and what to do about it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"Countinghouse refuses to start:\n{lines}\nSee docs/configuration.md.")


@dataclass(frozen=True)
class Settings:
    env: str
    database_url: str
    secret_key: str
    secret_key_fallbacks: tuple[str, ...]
    field_keys: tuple[str, ...]
    public_url: str
    trusted_hosts: tuple[str, ...]
    trusted_proxies: int
    stripe_secret_key: str
    stripe_webhook_secrets: tuple[str, ...]
    stripe_connect_webhook_secrets: tuple[str, ...]
    stripe_api_base: str
    webhook_tolerance: int
    redis_url: str
    mail_from: str
    mail_url: str
    catalog_file: Path
    log_level: str
    web_bind: str
    usd_worth: Mapping[str, str] = field(default_factory=dict)

    @property
    def local(self) -> bool:
        return self.env == "local"

    @property
    def production(self) -> bool:
        return self.env == "production"

    @property
    def livemode(self) -> bool:
        """Whether real money moves: the key says so, as at Stripe."""
        return self.stripe_secret_key.startswith(("sk_live_", "rk_live_"))

    @property
    def simulated(self) -> bool:
        """Whether Stripe is the simulator on this machine."""
        return _host(self.stripe_api_base) in LOCAL_HOSTS

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read and validate; raises UnsafeSettings naming everything that is wrong at once."""
        read = _Reader(environ)
        env = read.choice("APP_ENV", ENVIRONMENTS, "local")
        secure = env == "production"
        settings = cls(
            env=env,
            database_url=read.text("DATABASE_URL", f"sqlite:///{ROOT / 'var' / 'countinghouse.db'}"),
            secret_key=read.text("SECRET_KEY", "" if secure else LOCAL_SECRET),
            secret_key_fallbacks=read.strings("SECRET_KEY_FALLBACKS"),
            field_keys=read.strings("FIELD_KEYS", () if secure else (LOCAL_FIELD_KEY,)),
            public_url=read.text("PUBLIC_URL", "" if secure else "http://localhost:8000").rstrip("/"),
            trusted_hosts=read.strings("TRUSTED_HOSTS"),
            trusted_proxies=read.integer("TRUSTED_PROXIES", 0, low=0, high=5),
            stripe_secret_key=read.text("STRIPE_SECRET_KEY", "" if secure else LOCAL_STRIPE_KEY),
            stripe_webhook_secrets=read.strings("STRIPE_WEBHOOK_SECRETS"),
            stripe_connect_webhook_secrets=read.strings("STRIPE_CONNECT_WEBHOOK_SECRETS"),
            stripe_api_base=read.text("STRIPE_API_BASE", _api_base(env, environ)).rstrip("/"),
            webhook_tolerance=read.integer("STRIPE_WEBHOOK_TOLERANCE", 300, low=1, high=600),
            redis_url=read.text("REDIS_URL", ""),
            mail_from=read.text("MAIL_FROM", "shop@localhost"),
            mail_url=read.text("MAIL_URL", ""),
            catalog_file=Path(read.text("CATALOG_FILE", str(ROOT / "catalog.toml"))),
            log_level=read.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
            web_bind=read.text("WEB_BIND", "127.0.0.1:8000"),
            usd_worth=read.mapping("USD_WORTH", DEFAULT_USD_WORTH),
        )
        problems = read.problems + _shared_problems(settings)
        problems += _production_problems(settings, environ) if secure else _local_problems(settings)
        if problems:
            raise UnsafeSettings(problems)
        return settings


# What one unit of a currency is worth in US dollars, for the high-amount rule only; never for books.
DEFAULT_USD_WORTH = {
    "usd": "1", "eur": "1.10", "gbp": "1.28", "chf": "1.15", "jpy": "0.0067", "cad": "0.73", "aud": "0.66",
    "sek": "0.096", "nok": "0.094", "dkk": "0.147", "pln": "0.25", "czk": "0.044", "huf": "0.0028",
}  # fmt: skip


def _api_base(env: str, environ: Mapping[str, str]) -> str:
    """Stripe itself when a key of the merchant's own is given, the simulator otherwise."""
    key = environ.get("STRIPE_SECRET_KEY", "").strip()
    if env == "production" or key not in ("", LOCAL_STRIPE_KEY):
        return "https://api.stripe.com"
    return SIMULATOR_URL


class _Reader:
    """Reads the environment and gathers what is wrong with it instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []

    def text(self, name: str, default: str) -> str:
        """The setting; one that is set but empty counts as not set."""
        return self.environ.get(name, "").strip() or default

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self.problems.append(f"{name} is {value!r}; use one of {', '.join(allowed)}.")
            return default
        return value

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        value = self.text(name, str(default))
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            self.problems.append(f"{name} is {value!r}; use a whole number from {low} to {high}.")
            return default
        return int(value)

    def strings(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A JSON list of strings. A bare string is refused: as a list it would be one-character keys."""
        value = self.text(name, "")
        if not value:
            return default
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = None
        if not isinstance(parsed, list) or not all(isinstance(item, str) and item for item in parsed):
            self.problems.append(f'{name} is not a JSON list of strings, such as ["first", "second"].')
            return default
        return tuple(parsed)

    def mapping(self, name: str, default: Mapping[str, str]) -> Mapping[str, str]:
        value = self.text(name, "")
        if not value:
            return default
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            self.problems.append(f'{name} is not a JSON object, such as {{"eur": "1.10"}}.')
            return default
        worths = {str(key).lower(): str(worth) for key, worth in parsed.items()}
        for key, worth in worths.items():
            try:
                sound = Decimal(worth).is_finite() and Decimal(worth) >= 0
            except InvalidOperation:
                sound = False
            if not sound:
                self.problems.append(f"{name} holds {worth!r} for {key}; use a number, such as 1.10.")
        return worths


def _host(url: str) -> str:
    """The host an address names; empty where it is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _shared_problems(settings: Settings) -> list[str]:
    problems = []
    for key in settings.field_keys:
        try:
            Fernet(key)
        except ValueError:
            problems.append(
                "FIELD_KEYS holds something that is no Fernet key; make one with `flask keys new`."
            )
            break
    for name, url in (("PUBLIC_URL", settings.public_url), ("STRIPE_API_BASE", settings.stripe_api_base)):
        if not url.startswith(("http://", "https://")) or not _host(url):
            problems.append(f"{name} is {url!r}; use an address like https://shop.example.com.")
    if not settings.database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
        problems.append("DATABASE_URL starts with neither sqlite:/// nor postgresql+psycopg://.")
    if settings.mail_url and not settings.mail_url.startswith(("smtp://", "smtps://", "file://")):
        problems.append("MAIL_URL starts with none of smtp://, smtps://, file://.")
    if settings.redis_url and not settings.redis_url.startswith(("redis://", "rediss://", "unix://")):
        problems.append("REDIS_URL starts with none of redis://, rediss://, unix://.")
    return problems


def _local_problems(settings: Settings) -> list[str]:
    problems = []
    if settings.livemode:
        problems.append("STRIPE_SECRET_KEY is a live key; outside APP_ENV=production use a test key.")
    if _host(settings.public_url) not in LOCAL_HOSTS:
        problems.append("PUBLIC_URL is not on this machine; APP_ENV=local serves localhost only.")
    host = settings.web_bind.rsplit(":", 1)[0].strip("[]")
    if not _loopback(host):
        problems.append(
            "WEB_BIND is not a loopback address; only APP_ENV=production may be reached from outside."
        )
    return problems


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _production_problems(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    problems = []
    key = settings.secret_key
    if len(key) < 32 or len(set(key)) < 8 or key == LOCAL_SECRET:
        problems.append(
            "SECRET_KEY is missing or weak; use at least 32 random characters (`flask keys new`)."
        )
    if any(len(old) < 32 for old in settings.secret_key_fallbacks):
        problems.append("SECRET_KEY_FALLBACKS holds a key of under 32 characters.")
    if not settings.field_keys or LOCAL_FIELD_KEY in settings.field_keys:
        problems.append("FIELD_KEYS is missing; personal data is stored encrypted (`flask keys new`).")
    if not settings.public_url.startswith("https://"):
        problems.append("PUBLIC_URL does not start with https://.")
    allow_test = environ.get("ALLOW_TEST_KEY_IN_PRODUCTION") == "1"
    if not settings.livemode and not (
        allow_test and settings.stripe_secret_key.startswith(("sk_test_", "rk_test_"))
    ):
        problems.append("STRIPE_SECRET_KEY is not a live key (sk_live_… or rk_live_…).")
    if settings.livemode and settings.stripe_api_base != "https://api.stripe.com":
        problems.append("STRIPE_API_BASE would send a live key elsewhere than to https://api.stripe.com.")
    if not settings.mail_url:
        problems.append("MAIL_URL is missing; receipts go out through it, as smtp://user:password@host:587.")
    if not settings.stripe_webhook_secrets:
        problems.append('STRIPE_WEBHOOK_SECRETS is empty; use the endpoint\'s secret, as ["whsec_…"].')
    if any(not s.startswith("whsec_") or len(s) < 20 for s in settings.stripe_webhook_secrets):
        problems.append("STRIPE_WEBHOOK_SECRETS holds something that is no whsec_… secret.")
    if settings.database_url.startswith("sqlite") and environ.get("ALLOW_SQLITE_IN_PRODUCTION") != "1":
        problems.append("DATABASE_URL is SQLite; use PostgreSQL, or set ALLOW_SQLITE_IN_PRODUCTION=1.")
    return problems
