"""Is this process alive, and can it do its work? Answers for orchestrators and people, which never raise."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from redis.backoff import NoBackoff
from redis.retry import Retry

from marketdata import clock
from marketdata.calendars import latest_session, sessions_behind
from marketdata.selectors import newest_session, provider_healths
from mlops.errors import NoChampion
from mlops.selectors import champion
from predictions.selectors.ledger import last_check

log = structlog.get_logger(__name__)

EXCHANGE = "XNYS"
PROBE_SECONDS = 2
PROBES_LATE = timedelta(hours=1)
Facts = Mapping[str, Any]


class Unwell(Exception):
    """A part cannot do its work now; the message says what is the matter, `facts` what is known."""

    def __init__(self, detail: str, facts: Facts | None = None) -> None:
        super().__init__(detail)
        self.facts = facts or {}


@dataclass(frozen=True, slots=True)
class Part:
    """How one part is: status `ok` or `degraded`, a sentence, how long it took to find out, and what is known."""

    status: str
    detail: str
    ms: float
    facts: Facts = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"

    def as_json(self) -> dict[str, Any]:
        told = asdict(self)
        return {**told.pop("facts"), **told}


@csrf_exempt
@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """How each part is; 503 only when neither store can answer, because with one of them stored answers are served."""
    parts = examine(now=clock.now())
    unwell = {name: part for name, part in parts.items() if not part.is_ok}
    stores_down = "database" in unwell and "redis" in unwell
    status = "unavailable" if stores_down else "degraded" if unwell else "ok"
    body = {
        "status": status,
        "reasons": [f"{name}: {part.detail}" for name, part in unwell.items()],
        "parts": {name: part.as_json() for name, part in parts.items()},
    }
    return JsonResponse(body, status=503 if stores_down else 200)


def examine(*, now: datetime) -> dict[str, Part]:
    """Look at every part; what needs the database is not asked when the database does not answer."""
    parts = {"database": _examined(_database), "redis": _examined(_redis)}
    if not parts["database"].is_ok:
        unknown = Part("degraded", "Unknown while the database does not answer.", 0.0)
        return {**parts, **dict.fromkeys(("champion", "newest_bar", "providers", "ledger"), unknown)}
    return {
        **parts,
        "champion": _examined(_champion),
        "newest_bar": _examined(lambda: _newest_bar(now)),
        "providers": _examined(lambda: _providers(now)),
        "ledger": _examined(_ledger),
    }


def _examined(look: Callable[[], tuple[str, Facts]]) -> Part:
    started = time.perf_counter()
    try:
        detail, facts = look()
        status = "ok"
    except Unwell as problem:
        status, detail, facts = "degraded", str(problem), problem.facts
    except Exception as error:
        # A health answer that fails tells an orchestrator less than one that says what it knows.
        log.exception("health_check_failed", check=getattr(look, "__name__", "check"))
        status, detail, facts = "degraded", f"Could not be examined ({type(error).__name__}).", {}
    return Part(status, detail, round((time.perf_counter() - started) * 1000, 1), facts)


def _database() -> tuple[str, Facts]:
    """A connection of its own: one from the pool could wait for its turn, or be a dead one."""
    parameters = {
        name: value
        for name, value in connections["default"].get_connection_params().items()
        if name in ("host", "port", "user", "password", "dbname", "sslmode", "sslrootcert")
    }
    try:
        with psycopg.connect(
            **parameters, connect_timeout=PROBE_SECONDS, options=f"-c statement_timeout={PROBE_SECONDS * 1000}"
        ) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        raise Unwell("The database does not answer.") from error
    return "Answers.", {}


def _redis() -> tuple[str, Facts]:
    client = redis.Redis.from_url(
        settings.HINDCAST_SITE.redis_url,
        socket_timeout=PROBE_SECONDS,
        socket_connect_timeout=PROBE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        raise Unwell("Redis does not answer.") from error
    finally:
        client.close()
    return "Answers.", {}


def _champion() -> tuple[str, Facts]:
    try:
        version = champion().version
    except NoChampion as error:
        raise Unwell(str(error), {"version": None}) from error
    except DatabaseError as error:
        raise Unwell("The database did not tell which model is in use.") from error
    return f"Model {version} is in use.", {"version": version}


def _newest_bar(now: datetime) -> tuple[str, Facts]:
    try:
        newest: date | None = newest_session()
    except DatabaseError as error:
        raise Unwell("The database did not tell how old the newest bar is.") from error
    if newest is None:
        raise Unwell("No bar is stored yet.", {"as_of": None, "sessions_behind": None})
    behind = sessions_behind(EXCHANGE, newest, latest_session(EXCHANGE, now))
    facts = {"as_of": newest.isoformat(), "sessions_behind": behind}
    if behind > settings.HINDCAST_MARKETDATA.stale_after_sessions:
        raise Unwell(f"The newest bar is of {newest}, {behind} sessions behind the exchange.", facts)
    return f"The newest bar is of {newest}.", facts


def _providers(now: datetime) -> tuple[str, Facts]:
    """As the last probes found them; no source is asked here."""
    try:
        healths = provider_healths()
    except DatabaseError as error:
        raise Unwell("The database did not tell how the sources are.") from error
    facts = {"states": {health.provider: str(health.state) for health in healths}}
    unwell = [
        f"{health.provider} ({', '.join(health.uses)})"
        for health in healths
        if health.state in (health.State.DOWN, health.State.DEGRADED)
    ]
    if unwell:
        raise Unwell(f"Not all sources of market data answer: {', '.join(unwell)}.", facts)
    late = [health.provider for health in healths if health.checked_at and now - health.checked_at > PROBES_LATE]
    if late:
        raise Unwell(f"Nobody has looked at these sources for an hour: {', '.join(late)}.", facts)
    return "No source of market data is known to fail.", facts


def _ledger() -> tuple[str, Facts]:
    """As the last verification found it; nothing is verified here."""
    try:
        check = last_check()
    except DatabaseError as error:
        raise Unwell("The database did not tell whether the ledger held.") from error
    if check is None:
        return "Not verified yet.", {"checked_at": None}
    facts = {"checked_at": check.checked_at.isoformat(), "forecasts": check.forecasts}
    if check.fault:
        raise Unwell(check.fault, facts)
    return f"All {check.forecasts} forecasts held when they were last verified.", facts
