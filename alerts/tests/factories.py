"""Factories of alert tests."""

from datetime import UTC, date, datetime
from decimal import Decimal

from accounts.models import User
from alerts.models import Rule
from alerts.services.rules import RuleRequest, create_rule
from marketdata.models import DailyBar, Instrument
from marketdata.tests.factories import flat_bar

NOW = datetime(2023, 9, 21, 21, 0, tzinfo=UTC)
FIRST, SECOND, THIRD, FOURTH = (date(2023, 9, day) for day in (19, 20, 21, 22))


def person(email: str = "ada@example.com") -> User:
    """A user who can sign in with the password `correct horse`."""
    return User.objects.create_user(email, "correct horse")


def close_at(instrument: Instrument, session: date, close: str, *, is_final: bool = True) -> DailyBar:
    """A bar whose four prices are the close."""
    return flat_bar(instrument, session, close, fetched_at=NOW, is_final=is_final)


def price_rule(user: User, instrument: Instrument, threshold: str, kind: str = Rule.Kind.PRICE_ABOVE) -> Rule:
    """A stored price rule."""
    request = RuleRequest(instrument=instrument, kind=kind, threshold=Decimal(threshold))
    return create_rule(user=user, request=request, limit=100, now=NOW)[0]


def signal_rule(user: User, instrument: Instrument, signal: str = "BUY", horizon: int = 5) -> Rule:
    """A stored signal rule."""
    request = RuleRequest(instrument=instrument, kind=Rule.Kind.SIGNAL_BECOMES, signal=signal, horizon_sessions=horizon)
    return create_rule(user=user, request=request, limit=100, now=NOW)[0]
