"""Looking after the sources: one cheap call each now and then, and what is known about them written down."""

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

UP = Gauge("hindcast_provider_up", "1 when a source answers.", ["provider"], multiprocess_mode="mostrecent")
LATENCY = Gauge(
    "hindcast_provider_latency_seconds",
    "How long the last answer of a source took.",
    ["provider"],
    multiprocess_mode="mostrecent",
)
CALLS_LEFT = Gauge(
    "hindcast_provider_calls_left",
    "Calls that are left of a source's day.",
    ["provider"],
    multiprocess_mode="mostrecent",
)

PROBE_EVERY = timedelta(minutes=15)
# Beat may be a little early; an observation that is nearly due counts as due.
EARLY = timedelta(minutes=1)
SHARE_FOR_PROBES = 0.1
SHARE_KEPT_FOR_WORK = 0.2
LONGEST_DETAIL = 300
State = ProviderHealth.State
# The source is there and answers others; these pass by themselves.
PASSING = frozenset({FailureKind.RATE_LIMITED, FailureKind.QUOTA_SPENT, FailureKind.EMPTY, FailureKind.PARTIAL})


def probe_provider(*, name: str, now: datetime) -> ProviderHealth:
    """Find out how the source is and store it; a second call soon after looks at what is known and asks nobody.

    A probe is a call like any other: it is counted, and it is left out where calls are scarce, so that all probes of a
    day take at most a tenth of its budget and none of its last fifth. A source that cannot be asked cheaply is judged
    by the calls of the work alone, and one without its key is off and not asked.
    """
    if name not in {source.name for source in configured_sources() if source.is_enabled}:
        return _stored(name, State.OFF, NO_KEY_DETAIL, None, now)
    if name in UNLIMITED_PROVIDERS:
        return _stored(name, State.OK, "Answers from the disk.", None, now)
    before = _state(name, now)
    failure = _ask(name) if probe_is_due(before, budget_for(name), now) else None
    known = _state(name, now)
    state, detail = _judged(known, failure)
    health = _stored(name, state, detail, known, now)
    log.info("provider_probed", provider=name, state=str(state), detail=detail)
    return health


def provider_names() -> tuple[str, ...]:
    """The sources that the settings name, in the order in which they are asked."""
    return tuple(source.name for source in configured_sources())


def probe_is_due(known: ProviderState | None, budget: Budget, now: datetime) -> bool:
    """Whether the last answer or failure is so old, and calls are so plenty, that another call is worth it."""
    if known is None:
        return True
    if known.left_today is not None and known.left_today <= budget.per_day * SHARE_KEPT_FOR_WORK:
        return False
    seen = [at for at in (known.last_success_at, known.last_failure_at) if at is not None]
    every = PROBE_EVERY
    if budget.per_day:
        every = max(every, timedelta(days=1) / max(budget.per_day * SHARE_FOR_PROBES, 1))
    return not seen or now - max(seen) >= every - EARLY


def _state(name: str, now: datetime) -> ProviderState | None:
    """What all processes know together; None while the store is away."""
    try:
        return shared_usage(name).state(now)
    except RedisError:
        return None


def _ask(name: str) -> ProviderUnavailable | ProviderRejected | None:
    """The failure that the probe ended with; None for an answer, and where nobody was asked."""
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


def _judged(known: ProviderState | None, failure: ProviderUnavailable | ProviderRejected | None) -> tuple[State, str]:
    if failure is not None:
        return _state_after(failure.kind), f"The last call failed: {failure.reason}."
    if known is None:
        return State.OK, "Answers. What all processes ask of it together is not known while Redis is away."
    if known.paused_until is not None:
        kind = FailureKind(known.last_kind) if known.last_kind else FailureKind.UNREACHABLE
        return _state_after(kind), f"Paused until {known.paused_until:%H:%M} UTC after {_words(kind)}."
    if known.left_today == 0:
        return State.DEGRADED, "The day's budget of calls is spent; it starts again at midnight UTC."
    if known.last_failure_at and (known.last_success_at is None or known.last_failure_at > known.last_success_at):
        kind = FailureKind(known.last_kind) if known.last_kind else FailureKind.UNREACHABLE
        return _state_after(kind), f"The last call failed: {_words(kind)}."
    if known.last_success_at is None:
        return State.UNKNOWN, "Nobody has asked it yet."
    return State.OK, "Answers."


def _state_after(kind: FailureKind) -> State:
    return State.DEGRADED if kind in PASSING else State.DOWN


def _words(kind: FailureKind) -> str:
    return kind.value.replace("_", " ")


def _stored(name: str, state: State, detail: str, known: ProviderState | None, now: datetime) -> ProviderHealth:
    facts = {"state": state, "detail": detail[:LONGEST_DETAIL], "checked_at": now}
    if known is not None:
        facts |= {
            "latency_ms": known.latency_ms,
            "last_success_at": known.last_success_at,
            "last_failure_at": known.last_failure_at,
            "error_kinds": dict(known.error_kinds),
            "calls_today": known.calls_today,
            "calls_left": known.left_today,
            "runs_out_at": known.runs_out_at,
            "paused_until": known.paused_until,
        }
    health, _ = ProviderHealth.objects.update_or_create(provider=name, defaults=facts)
    if state == State.OFF:
        return health
    UP.labels(name).set(int(state in (State.OK, State.DEGRADED)))
    if health.latency_ms is not None:
        LATENCY.labels(name).set(health.latency_ms / 1000)
    if health.calls_left is not None:
        CALLS_LEFT.labels(name).set(health.calls_left)
    return health
