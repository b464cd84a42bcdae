"""Time-lapse: replays the sample prices one session at a time on a simulated clock."""

import re
import shutil
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection

from alerts.models import Rule
from alerts.services.rules import RuleRequest, create_rule
from config.database.roles import owner_connection
from config.pipelines import EXCHANGE, PipelineReport
from marketdata import clock
from marketdata.calendars import close_instant, is_session, sessions_between
from marketdata.conf import SIMULATED_CLOCK
from marketdata.providers.sample import FIRST_SESSION, LAST_SESSION
from marketdata.selectors import active_instruments, bars_for
from mlops.services.training import sessions_needed
from predictions.conf import DEFAULT_HORIZON
from store.client import redis_client

AFTER_CLOSE = timedelta(minutes=30)
PAUSE = re.compile(r"(\d+(?:\.\d+)?)(s|m)?")
SECONDS_IN = {None: 1, "s": 1, "m": 60}
LONGEST_PAUSE_S = 3600
WATCHED_MOVE = Decimal("0.03")


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """First session, the sessions replayed after it, and the seconds between two of them."""

    first: date
    sessions: tuple[date, ...]
    every_s: float

    @classmethod
    def read(cls, *, start: str, every: str, sessions: int | None) -> "ReplayPlan":
        """Parse command-line values; raises ValueError with one sentence."""
        try:
            first = date.fromisoformat(start)
        except ValueError:
            raise ValueError(f"--from must be a date such as 2023-06-01, not {start[:32]!r}.") from None
        if not is_session(EXCHANGE, first):
            raise ValueError(f"{first} is not a session of {EXCHANGE}.")
        needed = sessions_needed(settings.HINDCAST_MODELS.holdout_sessions)
        known = len(sessions_between(EXCHANGE, FIRST_SESSION, first))
        if known < needed:
            raise ValueError(f"A model needs {needed} sessions to learn from; up to {first} the sample has {known}.")
        following = sessions_between(EXCHANGE, first, LAST_SESSION)[1:]
        if not following:
            raise ValueError(f"The sample ends on {LAST_SESSION}, so a time-lapse must begin before that.")
        if sessions is not None and sessions < 1:
            raise ValueError(f"--sessions must be at least 1, not {sessions}.")
        return cls(first, tuple(following[:sessions]), _pause(every))


def evening_of(session: date) -> datetime:
    """Return the instant of the session's evening run."""
    return close_instant(EXCHANGE, session) + AFTER_CLOSE


def reset_time_lapse() -> None:
    """Delete the data of an earlier time-lapse; raises ValueError on the real clock."""
    if settings.HINDCAST_MARKETDATA.clock != SIMULATED_CLOCK:
        raise ValueError("only a time-lapse can be reset")
    with owner_connection(), connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute("CREATE SCHEMA public")
    redis_client().flushdb(asynchronous=True)
    settings.HINDCAST_LEDGER.heads_file.unlink(missing_ok=True)
    for folder in (settings.HINDCAST_MODELS.artifacts, settings.EMAIL_FILE_PATH):
        shutil.rmtree(Path(folder), ignore_errors=True)


def create_demo_rules(email: str) -> int:
    """Create alert rules that the replayed prices trigger; returns their number."""
    user = get_user_model().objects.get(email=email)
    requests = []
    for instrument in active_instruments():
        newest = bars_for(instrument).last()
        if newest is None:
            continue
        above = (newest.close * (1 + WATCHED_MOVE)).quantize(instrument.tick.normalize())
        below = (newest.close * (1 - WATCHED_MOVE)).quantize(instrument.tick.normalize())
        requests += [
            RuleRequest(instrument, Rule.Kind.PRICE_ABOVE, threshold=above),
            RuleRequest(instrument, Rule.Kind.PRICE_BELOW, threshold=below),
            RuleRequest(instrument, Rule.Kind.SIGNAL_BECOMES, signal="SELL", horizon_sessions=DEFAULT_HORIZON),
        ]
    for request in requests:
        create_rule(user=user, request=request, limit=len(requests), now=clock.now())
    return len(requests)


def session_summary(report: PipelineReport) -> str:
    """Summarise one session's run in one line."""
    counts = {step.name: step.counts for step in report.steps}
    seconds = sum(step.seconds for step in report.steps)
    bars, made, met, raised = (
        counts[step][name]
        for step, name in (("ingest", "new"), ("publish", "created"), ("score", "scored"), ("alerts", "raised"))
    )
    return (
        f"{report.session}  {bars:>5} prices  {made:>3} forecasts  {met:>3} scored  {raised:>2} alerts  {seconds:.1f} s"
    )


def _pause(text: str) -> float:
    found = PAUSE.fullmatch(text.strip())
    seconds = float(found[1]) * SECONDS_IN[found[2]] if found else -1.0
    if not 0 <= seconds <= LONGEST_PAUSE_S:
        raise ValueError(f"--every must be a time such as 5s or 1m, at most {LONGEST_PAUSE_S} s, not {text[:32]!r}.")
    return seconds
