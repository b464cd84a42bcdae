"""Creation and deletion of alert rules."""

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.models import User
from alerts.errors import TooManyRules
from alerts.models import Rule
from marketdata.models import Instrument


@dataclass(frozen=True, slots=True)
class RuleRequest:
    """The condition of a rule to create."""

    instrument: Instrument
    kind: str
    signal: str = ""
    horizon_sessions: int | None = None
    threshold: Decimal | None = None


@transaction.atomic
def create_rule(*, user: User, request: RuleRequest, limit: int, now: datetime) -> tuple[Rule, bool]:
    """Create a rule; returns (rule, created). If the user has the same rule, it is activated and returned.

    Raises TooManyRules if the user already has `limit` rules.
    """
    owner = User.objects.select_for_update().get(pk=user.pk)
    values = {field.name: getattr(request, field.name) for field in fields(request)}
    same = Rule.objects.filter(user=owner, **values).first()
    if same is not None:
        Rule.objects.filter(pk=same.pk, is_active=False).update(is_active=True, is_armed=True)
        same.refresh_from_db()
        return same, False
    if Rule.objects.filter(user=owner).count() >= limit:
        raise TooManyRules(limit)
    return Rule.objects.create(user=owner, created_at=now, **values), True


def delete_rule(*, rule: Rule) -> None:
    """Delete a rule and its alerts; deleting it again does nothing."""
    rule.delete()
