"""What `benchmarks.api` reads: a small market with published forecasts, and a person with a key and a token."""

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import jwt
from django.db import connection
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import Plan, TokenFamily, User
from accounts.tests.factories import key_of
from accounts.tokens import FAMILY_CLAIM
from config.devserver.demo import empty_metrics
from marketdata import clock
from mlops.services.registry import refresh_champion_key
from predictions.models import Forecast
from predictions.readpath import cache
from predictions.tests.scene import scene

PLAN = "unlimited"
EMAIL = "bench@localhost"


@dataclass(frozen=True, slots=True)
class Scene:
    """Who calls, and with what."""

    key: str
    doomed_keys: dict[str, str]
    doomed_ids: dict[str, int]
    token: str
    peer_token: str
    peer_secret: str
    forecast_id: int

    def headers(self, server: str, means: str) -> dict[str, str]:
        """What a caller sends to this server, by `key` or by `token`."""
        if means == "key":
            return {"X-API-Key": self.key}
        return {"Authorization": f"Bearer {self.peer_token if server == 'fastapi' else self.token}"}

    def variables(self, folder: Path) -> dict[str, str]:
        """What our servers are told: this database, lines in the log and shared counters, as in earnest."""
        own = urlsplit(os.environ["DATABASE_URL"])
        metrics = folder / "metrics"
        empty_metrics(metrics)
        return {
            "DATABASE_URL": urlunsplit(own._replace(path=f"/{connection.settings_dict['NAME']}")),
            "REDIS_URL": os.environ["REDIS_URL"],
            "HINDCAST_LOG_LEVEL": "INFO",
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        }


def prepared() -> Scene:
    """Fill the database and the store."""
    said = scene()
    keep_answers()
    owner = User.objects.create_user(EMAIL, secrets.token_urlsafe(12), plan=Plan.objects.get(name=PLAN))
    _, key = key_of(owner)
    doomed = {server: key_of(owner) for server in ("web", "edge")}
    peer_secret = secrets.token_urlsafe(48)
    hours = {"exp": datetime.now(UTC) + timedelta(hours=2)}
    return Scene(
        key=key,
        doomed_keys={server: text for server, (_, text) in doomed.items()},
        doomed_ids={server: row.pk for server, (row, _) in doomed.items()},
        token=_token(owner),
        peer_token=jwt.encode({"sub": "bench", "jti": uuid4().hex, **hours}, peer_secret, algorithm="HS256"),
        peer_secret=peer_secret,
        forecast_id=said.forecasts["AAPL", 5].pk,
    )


def keep_answers() -> None:
    """Publish what is stored, as the nightly run does at its end."""
    stored = Forecast.objects.select_related("instrument", "model_version")
    cache.keep(list(stored), stale=True, now=clock.now())
    refresh_champion_key()


def _token(owner: User) -> str:
    """An access token that outlives the measuring."""
    hours = timedelta(hours=2)
    family = TokenFamily.objects.create(
        user=owner, session_hash=owner.get_session_auth_hash(), expires_at=datetime.now(UTC) + hours
    )
    token = AccessToken.for_user(owner)
    token[FAMILY_CLAIM] = str(family.pk)
    token.set_exp(lifetime=hours)
    return str(token)
