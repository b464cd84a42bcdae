"""Reads the environment once into the apps' settings objects and reports every problem at once."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import environ

from accounts.conf import AccountSettings, IdentitySettings, KeyPepper, LimitSettings
from alerts.conf import AlertSettings
from config.settings.account_environment import read_accounts, read_limits
from config.settings.ledger_environment import read_ledger
from config.settings.news_environment import read_news
from marketdata.conf import (
    BUDGETS,
    CLOCKS,
    REAL_CLOCK,
    AlphaVantageSettings,
    Budget,
    MarketDataSettings,
    NewsSettings,
)
from mlops.conf import ModelSettings
from predictions.conf import ForecastSettings, LedgerSettings

ROOT = Path(__file__).resolve().parent.parent.parent
PROVIDERS = ("yahoo", "alpha_vantage", "sample")
MIN_SECRET_CHARACTERS = 50
HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\]")
MIN_DISTINCT_CHARACTERS = 8
DEFAULT_SECRET = re.compile(r"insecure|change.?me|secret.?key|example|default|a key that signs nothing", re.IGNORECASE)
OFF = ("", "0", "false", "no", "off")
MAX_SECRET_CHARACTERS = 4096
MIN_BODY_LIMIT = 1024
LOG_FORMATS = ("json", "console")
DEFAULT_HOSTS = "localhost,127.0.0.1,[::1]"
HTTPS_CHOICES = ("required", "off")
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
ENGINE = "config.database"
NO_DATABASE: dict[str, Any] = {"ENGINE": "django.db.backends.dummy"}
NO_REDIS = "redis://127.0.0.1:1/0"

T = TypeVar("T")


class EnvironmentProblem(Exception):
    """One or more variables are invalid; `complaints` has a message for each."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__("Invalid environment:\n" + "\n".join(f"  - {line}" for line in complaints))
        self.complaints = tuple(complaints)


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """Addresses, limits and logging of the site, and the URLs of its services."""

    port: int
    body_bytes: int
    allowed_hosts: tuple[str, ...]
    cors_origins: tuple[str, ...]
    csrf_origins: tuple[str, ...]
    site_url: str
    stream_url: str
    data_dir: Path
    static_dir: Path
    database: dict[str, Any]
    owner_database: dict[str, Any]
    redis_url: str
    redis_cluster_url: str
    broker_url: str
    email: dict[str, Any]
    email_from: str
    sentry_dsn: str
    log_format: str
    log_level: str
    metrics_port: int
    https: str
    hsts_preload: bool

    @property
    def store_url(self) -> str:
        """Return where limits, forecasts, topics and invalidations are stored."""
        return self.redis_cluster_url or self.redis_url


@dataclass(frozen=True, slots=True)
class Environment:
    """All settings that come from the environment."""

    site: SiteSettings
    marketdata: MarketDataSettings
    models: ModelSettings
    forecasts: ForecastSettings
    ledger: LedgerSettings
    limits: LimitSettings
    accounts: AccountSettings
    identity: IdentitySettings
    alerts: AlertSettings
    news: NewsSettings


class _Reader:
    """Reads variables and collects the problems."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.complaints: list[str] = []

    def text(self, name: str, default: str) -> str:
        return self.variables.get(name, "").strip() or default

    def secret(self, name: str) -> str:
        """Return the value of NAME, or the content of the file NAME_FILE; complaints never contain either."""
        value, path = self.text(name, ""), self.text(f"{name}_FILE", "")
        if value and path:
            self.complaints.append(f"{name} and {name}_FILE are both set; set one of them.")
        if value and not (value.isascii() and value.isprintable()):
            self.complaints.append(f"{name} contains characters that no key has.")
            return ""
        if value or not path:
            return value
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            self.complaints.append(f"{name}_FILE names a file that cannot be read.")
            return ""
        if not value or len(value) > MAX_SECRET_CHARACTERS or not (value.isascii() and value.isprintable()):
            self.complaints.append(f"{name}_FILE names a file that does not contain one secret.")
            return ""
        return value

    def words(self, name: str, default: str, allowed: tuple[str, ...] | None = None) -> tuple[str, ...]:
        words = tuple(word.strip() for word in self.text(name, default).split(",") if word.strip())
        for word in words:
            if allowed is not None and word not in allowed:
                self.complaints.append(f"{name} may contain {', '.join(allowed)}, not {word!r}.")
        return words

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self.complaints.append(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
            return default
        return value

    def integer(self, name: str, default: int) -> int:
        return self._parsed(name, default, int, "a whole number")

    def seconds(self, name: str, default: float) -> float:
        return self._parsed(name, default, float, "a number of seconds")

    def url(self, name: str, default: str, schemes: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value and value.split("://")[0] not in schemes:
            self.complaints.append(f"{name} must start with {' or '.join(s + '://' for s in schemes)}.")
            return default
        if not _is_valid_url(value):
            self.complaints.append(f"{name} is not a valid URL. Check its port and brackets.")
            return default
        return value

    def service_url(self, name: str, default: str, schemes: tuple[str, ...], password: str) -> str:
        """Return a URL; one with a user but no password gets the variable `password`, escaped."""
        url, secret = self.url(name, default, schemes), self.text(password, "")
        parts = urlsplit(url)
        if not secret or not parts.username or parts.password is not None:
            return url
        user, _, address = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}:{quote(secret, safe='')}@{address}").geturl()

    def build(self, names: str, create: Callable[[], T]) -> T | None:
        """Create a settings object; its ValueError is reported with the names of its variables."""
        try:
            return create()
        except ValueError as error:
            self.complaints.append(f"{names}: {error}.")
            return None

    def _parsed(self, name: str, default: T, kind: Callable[[str], T], expected: str) -> T:
        raw = self.text(name, "")
        if not raw:
            return default
        try:
            return kind(raw)
        except ValueError:
            self.complaints.append(f"{name} must be {expected}, not {raw!r}.")
            return default


def _is_valid_url(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def read_environment(variables: Mapping[str, str]) -> Environment:
    """Return the settings.

    Raises EnvironmentProblem with every complaint; complaints never contain the value of a URL or a key.
    """
    reader = _Reader(variables)
    site = _site(reader)
    key = reader.secret("ALPHA_VANTAGE_API_KEY")
    alpha_vantage_url = reader.url("ALPHA_VANTAGE_BASE_URL", "https://www.alphavantage.co", ("http", "https"))
    marketdata = _marketdata(reader, key, alpha_vantage_url)
    models = reader.build(
        "HINDCAST_SEED, HINDCAST_HOLDOUT_SESSIONS",
        lambda: ModelSettings(
            artifacts=Path(reader.text("HINDCAST_ARTIFACTS_DIR", str(site.data_dir / "artifacts"))),
            seed=reader.integer("HINDCAST_SEED", 20130102),
            holdout_sessions=reader.integer("HINDCAST_HOLDOUT_SESSIONS", 252),
        ),
    )
    forecasts = reader.build(
        "HINDCAST_CACHE_SECONDS", lambda: ForecastSettings(cache_seconds=reader.integer("HINDCAST_CACHE_SECONDS", 600))
    )
    ledger = reader.build(
        "HINDCAST_WITNESS_*, HINDCAST_OPENTIMESTAMPS_URLS", lambda: read_ledger(reader, site.data_dir)
    )
    limits = reader.build(
        "HINDCAST_LIMIT_ANONYMOUS, HINDCAST_LIMIT_*, HINDCAST_TRUSTED_PROXIES",
        lambda: read_limits(reader),
    )
    accounts = reader.build("GOOGLE_*, GITHUB_*", lambda: read_accounts(reader))
    identity = reader.build(
        "HINDCAST_KEY_PEPPERS, HINDCAST_REQUEST_LOG_DAYS, HINDCAST_AUDIT_DAYS",
        lambda: IdentitySettings(
            key_peppers=KeyPepper.parse_all(reader.secret("HINDCAST_KEY_PEPPERS")),
            request_log_days=reader.integer("HINDCAST_REQUEST_LOG_DAYS", 30),
            audit_days=reader.integer("HINDCAST_AUDIT_DAYS", 730),
            staff_email=reader.text("HINDCAST_STAFF_EMAIL", "staff@localhost"),
            staff_password=reader.secret("HINDCAST_STAFF_PASSWORD"),
        ),
    )
    alerts = reader.build(
        "HINDCAST_RULES_PER_USER",
        lambda: AlertSettings(rules_per_user=reader.integer("HINDCAST_RULES_PER_USER", 100)),
    )
    news = reader.build(
        "HINDCAST_NEWS_TIMEOUT_S, HINDCAST_NEWS_LOOKBACK_DAYS, REDDIT_*",
        lambda: read_news(reader, alpha_vantage=(key, alpha_vantage_url)),
    )
    if reader.complaints or not (
        marketdata and models and forecasts and ledger and limits and identity and accounts and alerts and news
    ):
        raise EnvironmentProblem(reader.complaints)
    return Environment(site, marketdata, models, forecasts, ledger, limits, accounts, identity, alerts, news)


def complaints_of_production(variables: Mapping[str, str]) -> list[str]:
    """Return the problems of a production environment, including missing variables; empty if it can start."""
    required = ("HINDCAST_SECRET_KEY", "DATABASE_URL", "REDIS_URL", "HINDCAST_ALLOWED_HOSTS", "HINDCAST_SITE_URL")
    complaints = [f"{name} must be set in production." for name in required if not variables.get(name, "").strip(" ,")]
    complaints += _complaints_of_secret("HINDCAST_SECRET_KEY", variables.get("HINDCAST_SECRET_KEY", ""))
    for secret in secret_key_fallbacks(variables):
        complaints += _complaints_of_secret("HINDCAST_SECRET_KEY_FALLBACKS", secret)
    hosts = [host.strip() for host in variables.get("HINDCAST_ALLOWED_HOSTS", "").split(",") if host.strip()]
    if any("*" in host or host.startswith(".") for host in hosts):
        complaints.append("HINDCAST_ALLOWED_HOSTS must list host names, not '*' or a whole domain.")
    elif not all(HOST_NAME.fullmatch(host) for host in hosts):
        complaints.append(
            "HINDCAST_ALLOWED_HOSTS must list names such as hindcast.example, without scheme, port or path."
        )
    is_plain = variables.get("HINDCAST_HTTPS", "").strip() == "off"
    if not is_plain and not variables.get("HINDCAST_SITE_URL", "https://").startswith("https://"):
        complaints.append("HINDCAST_SITE_URL must start with https:// in production.")
    complaints += [
        f"{name} must be empty: production never shows debug pages."
        for name in ("DEBUG", "DJANGO_DEBUG")
        if variables.get(name, "").strip().lower() not in OFF
    ]
    try:
        peppers = read_environment(variables).identity.key_peppers
        if not peppers:
            complaints.append("HINDCAST_KEY_PEPPERS must be set in production.")
        for pepper in peppers:
            complaints += _complaints_of_secret("HINDCAST_KEY_PEPPERS", pepper.secret)
            if pepper.secret == variables.get("HINDCAST_SECRET_KEY"):
                complaints.append(
                    "HINDCAST_KEY_PEPPERS must differ from HINDCAST_SECRET_KEY, which has its own rotation."
                )
    except EnvironmentProblem as problem:
        complaints += problem.complaints
    return complaints


def secret_key_fallbacks(variables: Mapping[str, str]) -> list[str]:
    """Return the earlier secret keys that are still accepted, newest first."""
    return [word.strip() for word in variables.get("HINDCAST_SECRET_KEY_FALLBACKS", "").split(",") if word.strip()]


def _complaints_of_secret(name: str, secret: str) -> list[str]:
    """Return the problems of a secret that is set."""
    if 0 < len(secret) < MIN_SECRET_CHARACTERS:
        return [f"{name} must have at least {MIN_SECRET_CHARACTERS} characters."]
    if secret and (len(set(secret)) < MIN_DISTINCT_CHARACTERS or DEFAULT_SECRET.search(secret)):
        return [f"{name} must be random, not a word or an example."]
    return []


def _marketdata(reader: _Reader, key: str, base_url: str) -> MarketDataSettings | None:
    """Return the market data settings; without an API key Alpha Vantage is left out of the providers."""
    alpha_vantage = reader.build(
        "HINDCAST_ALPHA_VANTAGE_TIMEOUT_S",
        lambda: AlphaVantageSettings(
            api_key=key,
            base_url=base_url,
            timeout_s=reader.seconds("HINDCAST_ALPHA_VANTAGE_TIMEOUT_S", 4.0),
        ),
    )
    budgets = {}
    for source, default in BUDGETS.items():
        name = f"HINDCAST_{source.upper()}_BUDGET"
        budgets[source] = reader.build(name, partial(Budget.parse, reader.text(name, default)))
    requested = reader.words("HINDCAST_PROVIDERS", ",".join(PROVIDERS), PROVIDERS)
    return reader.build(
        "HINDCAST_PROVIDERS, HINDCAST_YAHOO_TIMEOUT_S, HINDCAST_STALE_AFTER_SESSIONS, HINDCAST_QUOTE_SECONDS",
        lambda: MarketDataSettings(
            providers=tuple(name for name in requested if key or name != "alpha_vantage"),
            yahoo_timeout_s=reader.seconds("HINDCAST_YAHOO_TIMEOUT_S", 3.0),
            yahoo_base_url=reader.url("YAHOO_BASE_URL", "", ("http", "https")) or None,
            stale_after_sessions=reader.integer("HINDCAST_STALE_AFTER_SESSIONS", 2),
            alpha_vantage=alpha_vantage if key else None,
            quote_every_s=reader.seconds("HINDCAST_QUOTE_SECONDS", 60.0),
            clock=reader.choice("HINDCAST_CLOCK", REAL_CLOCK, CLOCKS),
            budgets={source: budget for source, budget in budgets.items() if budget is not None},
            without_key=tuple(name for name in requested if not key and name == "alpha_vantage"),
        ),
    )


def _site(reader: _Reader) -> SiteSettings:
    port = reader.integer("HINDCAST_PORT", 8000)
    if not 1 <= port <= 65534:
        reader.complaints.append(f"HINDCAST_PORT must be between 1 and 65534, not {port}.")
    body_bytes = reader.integer("HINDCAST_BODY_LIMIT_BYTES", 2**20)
    if body_bytes < MIN_BODY_LIMIT:
        reader.complaints.append(f"HINDCAST_BODY_LIMIT_BYTES must be at least {MIN_BODY_LIMIT}, not {body_bytes}.")
    data_dir = Path(reader.text("HINDCAST_DATA_DIR", str(ROOT / ".data")))
    redis_url = reader.service_url("REDIS_URL", NO_REDIS, ("redis", "rediss", "unix"), "REDIS_PASSWORD")
    database_url = reader.service_url("DATABASE_URL", "", ("postgres", "postgresql"), "POSTGRES_PASSWORD")
    owner_url = reader.url("HINDCAST_DATABASE_OWNER_URL", "", ("postgres", "postgresql"))
    return SiteSettings(
        port=port,
        body_bytes=body_bytes,
        allowed_hosts=reader.words("HINDCAST_ALLOWED_HOSTS", DEFAULT_HOSTS),
        cors_origins=reader.words("HINDCAST_CORS_ORIGINS", "http://localhost:3000,http://localhost:5173"),
        csrf_origins=reader.words("HINDCAST_CSRF_ORIGINS", ""),
        site_url=reader.url("HINDCAST_SITE_URL", f"http://127.0.0.1:{port}", ("http", "https")).rstrip("/"),
        stream_url=reader.url("HINDCAST_STREAM_URL", "", ("ws", "wss")),
        data_dir=data_dir,
        static_dir=Path(reader.text("HINDCAST_STATIC_DIR", str(data_dir / "staticfiles"))),
        database=dict(environ.Env.db_url_config(database_url, engine=ENGINE)) if database_url else NO_DATABASE,
        owner_database=dict(environ.Env.db_url_config(owner_url, engine=ENGINE)) if owner_url else {},
        redis_url=redis_url,
        redis_cluster_url=reader.service_url("REDIS_CLUSTER_URL", "", ("redis", "rediss"), "REDIS_PASSWORD"),
        broker_url=reader.service_url(
            "CELERY_BROKER_URL", redis_url, ("redis", "rediss", "unix", "amqp", "amqps"), "RABBITMQ_PASSWORD"
        ),
        email=_email(reader),
        email_from=reader.text("HINDCAST_EMAIL_FROM", "Hindcast <hindcast@localhost>"),
        sentry_dsn=reader.text("SENTRY_DSN", ""),
        log_format=reader.choice("HINDCAST_LOG_FORMAT", "json", LOG_FORMATS),
        log_level=reader.choice("HINDCAST_LOG_LEVEL", "INFO", LOG_LEVELS),
        metrics_port=reader.integer("HINDCAST_METRICS_PORT", 0),
        https=_https(reader),
        hsts_preload=reader.choice("HINDCAST_HSTS_PRELOAD", "off", ("off", "on")) == "on",
    )


def _https(reader: _Reader) -> str:
    """Return whether HTTPS is required; plain HTTP is for trying a deployment out on its own machine."""
    https = reader.choice("HINDCAST_HTTPS", "required", HTTPS_CHOICES)
    hosts = reader.words("HINDCAST_ALLOWED_HOSTS", DEFAULT_HOSTS)
    if https == "off" and not LOOPBACK_HOSTS.issuperset(hosts):
        reader.complaints.append(
            f"HINDCAST_HTTPS can be off only if HINDCAST_ALLOWED_HOSTS lists no others than "
            f"{', '.join(sorted(LOOPBACK_HOSTS))}."
        )
    return https


def _email(reader: _Reader) -> dict[str, Any]:
    """Return the e-mail settings; without EMAIL_URL, e-mails are saved as files in the data folder."""
    url = reader.url("EMAIL_URL", "", ("smtp", "smtp+tls", "smtp+ssl", "filemail"))
    if not url:
        return {}
    return dict(environ.Env.email_url_config(url))
