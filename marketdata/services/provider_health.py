"""Monitor data sources: probe each with a cheap call and store its health."""

from datetime import datetime, timedelta

import structlog
from prometheus_client import Gauge
from redis.exceptions import RedisError

from marketdata.conf import Budget
from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.models import ProviderHealth
from marketdata.providers.base import ProbedProvider
from marketdata.providers.catalog import UNLIMITED_PROVIDERS, budget_for, configured_providers, shared_usage
from marketdata.providers.news_catalog import configured_news_providers
from marketdata.providers.provider_state import ProviderState
from marketdata.selectors import NO_KEY_DETAIL, configured_sources

log = structlog.get_logger(__name__)

UP = Gauge("hindcast_provider_up", "1 if the source is up.", ["provider"], multiprocess_mode="mostrecent")
LATENCY = Gauge(
    "hindcast_provider_latency_seconds",
    "Latency of the last response of a source.",
    ["provider"],
    multiprocess_mode="mostrecent",
)
CALLS_LEFT = Gauge(
    "hindcast_provider_calls_left",
    "Remaining calls of a source today.",
    ["provider"],
    multiprocess_mode="mostrecent",
)

PROBE_EVERY = timedelta(minutes=15)
# Celery Beat may fire slightly early.
SCHEDULE_TOLERANCE = timedelta(minutes=1)
SHARE_FOR_PROBES = 0.1
SHARE_RESERVED_FOR_DATA = 0.2
MAX_DETAIL_LENGTH = 300
State = ProviderHealth.State
# Temporary failures of a source that is up.
TEMPORARY_FAILURES = frozenset(
    {FailureKind.RATE_LIMITED, FailureKind.QUOTA_SPENT, FailureKind.EMPTY, FailureKind.PARTIAL}
)


def probe_provider(*, name: str, now: datetime) -> ProviderHealth:
    """Check a source and store its health; a second call soon after uses the known state and sends nothing.

    Probes count against the budget: at most 10% of a day's calls, and none of the last 20%. A source without a cheap
    call is judged by its ordinary calls; one without a key is off.
    """
    if name not in {source.name for source in configured_sources() if source.is_enabled}:
        return _store_health(name, State.OFF, NO_KEY_DETAIL, None, now)
    if name in UNLIMITED_PROVIDERS:
        return _store_health(name, State.OK, "Local data.", None, now)
    before = _read_state(name, now)
    failure = _probe(name) if probe_is_due(before, budget_for(name), now) else None
    known = _read_state(name, now)
    state, detail = _state_of(known, failure)
    health = _store_health(name, state, detail, known, now)
    log.info("provider_probed", provider=name, state=str(state), detail=detail)
    return health


def provider_names() -> tuple[str, ...]:
    """Return the names of the configured sources, in the order they are tried."""
    return tuple(source.name for source in configured_sources())


def probe_is_due(known: ProviderState | None, budget: Budget, now: datetime) -> bool:
    """Return whether the last call is old enough, and the budget large enough, for another probe."""
    if known is None:
        return True
    if known.left_today is not None and known.left_today <= budget.per_day * SHARE_RESERVED_FOR_DATA:
        return False
    seen = [at for at in (known.last_success_at, known.last_failure_at) if at is not None]
    every = PROBE_EVERY
    if budget.per_day:
        every = max(every, timedelta(days=1) / max(budget.per_day * SHARE_FOR_PROBES, 1))
    return not seen or now - max(seen) >= every - SCHEDULE_TOLERANCE


def _read_state(name: str, now: datetime) -> ProviderState | None:
    """Read the shared state of the source; None while Redis is unavailable."""
    try:
        return shared_usage(name).state(now)
    except RedisError:
        return None


def _probe(name: str) -> ProviderUnavailable | ProviderRejected | None:
    """Probe the source; returns its error, or None on success and if nothing was sent."""
    sources: list[object] = [*configured_providers(), *configured_news_providers()]
    probed = [source for source in sources if isinstance(source, ProbedProvider) and source.name == name]
    try:
        for source in probed[:1]:
            source.probe()
    except ProviderUnavailable as error:
        return error if error.attempted else None
    except ProviderRejected as error:
        return error
    return None


def _state_of(known: ProviderState | None, failure: ProviderUnavailable | ProviderRejected | None) -> tuple[State, str]:
    if failure is not None:
        return _state_after(failure.kind), f"The last call failed: {failure.reason}."
    if known is None:
        return State.OK, "Up. Call counts are unknown while Redis is unavailable."
    if known.paused_until is not None:
        kind = FailureKind(known.last_kind) if known.last_kind else FailureKind.UNREACHABLE
        return _state_after(kind), f"Paused until {known.paused_until:%H:%M} UTC after {_label(kind)}."
    if known.left_today == 0:
        return State.DEGRADED, "Today's call budget is used up; it resets at midnight UTC."
    if known.last_failure_at and (known.last_success_at is None or known.last_failure_at > known.last_success_at):
        kind = FailureKind(known.last_kind) if known.last_kind else FailureKind.UNREACHABLE
        return _state_after(kind), f"The last call failed: {_label(kind)}."
    if known.last_success_at is None:
        return State.UNKNOWN, "Not checked yet."
    return State.OK, "Up."


def _state_after(kind: FailureKind) -> State:
    return State.DEGRADED if kind in TEMPORARY_FAILURES else State.DOWN


def _label(kind: FailureKind) -> str:
    return kind.value.replace("_", " ")


def _store_health(name: str, state: State, detail: str, known: ProviderState | None, now: datetime) -> ProviderHealth:
    values = {"state": state, "detail": detail[:MAX_DETAIL_LENGTH], "checked_at": now}
    if known is not None:
        values |= {
            "latency_ms": known.latency_ms,
            "last_success_at": known.last_success_at,
            "last_failure_at": known.last_failure_at,
            "error_kinds": dict(known.error_kinds),
            "calls_today": known.calls_today,
            "calls_left": known.left_today,
            "runs_out_at": known.runs_out_at,
            "paused_until": known.paused_until,
        }
    health, _ = ProviderHealth.objects.update_or_create(provider=name, defaults=values)
    if state == State.OFF:
        return health
    UP.labels(name).set(int(state in (State.OK, State.DEGRADED)))
    if health.latency_ms is not None:
        LATENCY.labels(name).set(health.latency_ms / 1000)
    if health.calls_left is not None:
        CALLS_LEFT.labels(name).set(health.calls_left)
    return health
