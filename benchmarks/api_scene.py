"""Data for `benchmarks.api`: a market with published forecasts, and a person with API keys and a token."""

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from pathlib import Path
from string import ascii_uppercase
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import jwt
from django.db import connection
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import Plan, TokenFamily, User
from accounts.tests.factories import key_of
from accounts.tokens import FAMILY_CLAIM
from config.devserver.demo import clear_metrics
from marketdata import clock
from mlops.services.registry import refresh_champion_key
from predictions.conf import HORIZONS
from predictions.models import Forecast
from predictions.readpath import cache
from predictions.tests import factories
from predictions.tests.scene import scene

PLAN = "unlimited"
EMAIL = "bench@localhost"
KEYS = 50
MORE_SYMBOLS = 97
LIFETIME = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Scene:
    """Credentials and paths that the load uses; `revocable` maps a server's name to a key's row and text."""

    keys: list[str]
    key_file: Path
    symbol_file: Path
    revocable: dict[str, tuple[int, str]]
    token: str
    peer_token: str
    peer_secret: str
    forecast_id: int

    def headers(self, server: str, kind: str) -> dict[str, str]:
        """Return the headers that authenticate at this server, by `key` or by `token`."""
        if kind == "key":
            return {"X-API-Key": self.keys[0]}
        return {"Authorization": f"Bearer {self.peer_token if server == 'fastapi' else self.token}"}

    def variables(self, folder: Path) -> dict[str, str]:
        """Return the environment of our servers: this database, log lines and shared counters as in production."""
        own = urlsplit(os.environ["DATABASE_URL"])
        metrics = folder / "metrics"
        clear_metrics(metrics)
        return {
            "DATABASE_URL": urlunsplit(own._replace(path=f"/{connection.settings_dict['NAME']}")),
            "REDIS_URL": os.environ["REDIS_URL"],
            "HINDCAST_LOG_LEVEL": "INFO",
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        }


def prepared(folder: Path) -> Scene:
    """Fill the database and the store, and write the files that the load generator reads."""
    market = scene()
    stocks = [factories.stock(symbol) for symbol in _symbols()]
    factories.forecasts(stocks, HORIZONS, model_version=market.version, kind=Forecast.Kind.LATE)
    keep_answers()
    owner = User.objects.create_user(EMAIL, secrets.token_urlsafe(12), plan=Plan.objects.get(name=PLAN))
    keys = [key_of(owner)[1] for _ in range(KEYS)]
    revocable = {server: key_of(owner) for server in ("web", "edge")}
    peer_secret = secrets.token_urlsafe(48)
    claims = {"sub": "bench", "jti": uuid4().hex, "exp": datetime.now(UTC) + LIFETIME}
    return Scene(
        keys=keys,
        key_file=_written(folder / "keys.txt", keys),
        symbol_file=_written(folder / "symbols.txt", [*market.instruments, *_symbols()]),
        revocable={server: (row.pk, text) for server, (row, text) in revocable.items()},
        token=_token(owner),
        peer_token=jwt.encode(claims, peer_secret, algorithm="HS256"),
        peer_secret=peer_secret,
        forecast_id=market.forecasts["AAPL", 5].pk,
    )


def keep_answers() -> None:
    """Cache the stored forecasts, as the nightly run does at its end."""
    stored = Forecast.objects.select_related("instrument", "model_version")
    cache.cache_forecasts(list(stored), stale=True, now=clock.now())
    refresh_champion_key()


def _symbols() -> list[str]:
    return ["".join(letters) for letters in islice(product("Q", ascii_uppercase, ascii_uppercase), MORE_SYMBOLS)]


def _written(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def _token(owner: User) -> str:
    """Return an access token that outlives the run."""
    family = TokenFamily.objects.create(
        user=owner, session_hash=owner.get_session_auth_hash(), expires_at=datetime.now(UTC) + LIFETIME
    )
    token = AccessToken.for_user(owner)
    token[FAMILY_CLAIM] = str(family.pk)
    token.set_exp(lifetime=LIFETIME)
    return str(token)
