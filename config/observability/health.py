"""Liveness and readiness endpoints for orchestrators and operators. Checks never raise."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError, connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from marketdata import clock
from marketdata.calendars import latest_session, sessions_behind
from marketdata.selectors import newest_session, provider_healths
from mlops.errors import NoChampion
from mlops.selectors import champion
from predictions.selectors.ledger import last_check
from store.client import redis_client

log = structlog.get_logger(__name__)

EXCHANGE = "XNYS"
PROBE_SECONDS = 2
PROBE_MAX_AGE = timedelta(hours=1)
Facts = Mapping[str, Any]


class CheckFailed(Exception):
    """A component is degraded; the message gives the reason, `facts` the details."""

    def __init__(self, detail: str, facts: Facts | None = None) -> None:
        super().__init__(detail)
        self.facts = facts or {}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of one check: status (`ok` or `degraded`), a sentence, duration in ms and details."""

    status: str
    detail: str
    ms: float
    facts: Facts = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"

    def as_json(self) -> dict[str, Any]:
        fields = asdict(self)
        return {**fields.pop("facts"), **fields}


@csrf_exempt
@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """Answer 200 while the process runs."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Report each component; 503 only if database and Redis are both down, because one of them can serve forecasts."""
    parts = run_checks(now=clock.now())
    degraded = {name: part for name, part in parts.items() if not part.is_ok}
    stores_down = "database" in degraded and "redis" in degraded
    status = "unavailable" if stores_down else "degraded" if degraded else "ok"
    body = {
        "status": status,
        "reasons": [f"{name}: {part.detail}" for name, part in degraded.items()],
        "parts": {name: part.as_json() for name, part in parts.items()},
    }
    return JsonResponse(body, status=503 if stores_down else 200)


def run_checks(*, now: datetime) -> dict[str, CheckResult]:
    """Run every check; skips those that need the database if it is down."""
    parts = {"database": _run_check(_database), "redis": _run_check(_redis)}
    if not parts["database"].is_ok:
        unknown = CheckResult("degraded", "Unknown while the database does not answer.", 0.0)
        return {**parts, **dict.fromkeys(("champion", "newest_bar", "providers", "ledger"), unknown)}
    return {
        **parts,
        "champion": _run_check(_champion),
        "newest_bar": _run_check(lambda: _newest_bar(now)),
        "providers": _run_check(lambda: _providers(now)),
        "ledger": _run_check(_ledger),
    }


def _run_check(check: Callable[[], tuple[str, Facts]]) -> CheckResult:
    started = time.perf_counter()
    try:
        detail, facts = check()
        status = "ok"
    except CheckFailed as problem:
        status, detail, facts = "degraded", str(problem), problem.facts
    except Exception as error:
        # A partial report helps an orchestrator more than an error.
        log.exception("health_check_failed", check=getattr(check, "__name__", "check"))
        status, detail, facts = "degraded", f"The check failed ({type(error).__name__}).", {}
    return CheckResult(status, detail, round((time.perf_counter() - started) * 1000, 1), facts)


def _database() -> tuple[str, Facts]:
    """Open a separate connection; a pooled one could be busy or dead."""
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
        raise CheckFailed("The database does not answer.") from error
    return "Answers.", {}


def _redis() -> tuple[str, Facts]:
    try:
        redis_client().ping()
    except (RedisError, OSError) as error:
        raise CheckFailed("Redis does not answer.") from error
    return "Answers.", {}


def _champion() -> tuple[str, Facts]:
    try:
        version = champion().version
    except NoChampion as error:
        raise CheckFailed(str(error), {"version": None}) from error
    except DatabaseError as error:
        raise CheckFailed("The model in use could not be read from the database.") from error
    return f"Model {version} is in use.", {"version": version}


def _newest_bar(now: datetime) -> tuple[str, Facts]:
    try:
        newest: date | None = newest_session()
    except DatabaseError as error:
        raise CheckFailed("The latest session could not be read from the database.") from error
    if newest is None:
        raise CheckFailed("No prices are stored yet.", {"as_of": None, "sessions_behind": None})
    behind = sessions_behind(EXCHANGE, newest, latest_session(EXCHANGE, now))
    facts = {"as_of": newest.isoformat(), "sessions_behind": behind}
    if behind > settings.HINDCAST_MARKETDATA.stale_after_sessions:
        raise CheckFailed(f"Latest price: {newest}, {behind} trading days behind.", facts)
    return f"Latest price: {newest}.", facts


def _providers(now: datetime) -> tuple[str, Facts]:
    """Read the results of the latest probes; sends no request."""
    try:
        healths = provider_healths()
    except DatabaseError as error:
        raise CheckFailed("The state of the data sources could not be read from the database.") from error
    facts = {"states": {health.provider: str(health.state) for health in healths}}
    failing = [
        f"{health.provider} ({', '.join(health.uses)})"
        for health in healths
        if health.state in (health.State.DOWN, health.State.DEGRADED)
    ]
    if failing:
        raise CheckFailed(f"Data sources failing: {', '.join(failing)}.", facts)
    late = [health.provider for health in healths if health.checked_at and now - health.checked_at > PROBE_MAX_AGE]
    if late:
        raise CheckFailed(f"Not checked in the last hour: {', '.join(late)}.", facts)
    return "All data sources respond.", facts


def _ledger() -> tuple[str, Facts]:
    """Read the result of the last verification; verifies nothing."""
    try:
        check = last_check()
    except DatabaseError as error:
        raise CheckFailed("The result of the last ledger verification could not be read from the database.") from error
    if check is None:
        return "Not verified yet.", {"checked_at": None}
    facts = {"checked_at": check.checked_at.isoformat(), "forecasts": check.forecasts}
    if check.fault:
        raise CheckFailed(check.fault, facts)
    return f"Last verification: {check.forecasts} forecasts, all intact.", facts
