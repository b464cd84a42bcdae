"""Evaluation of alert rules on a session."""

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from alerts.errors import TooManyRules
from alerts.models import Alert, Rule
from alerts.services.evaluation import evaluate_rules
from alerts.services.rules import RuleRequest, create_rule
from alerts.tests.factories import FIRST, FOURTH, NOW, SECOND, THIRD, close_at, person, price_rule, signal_rule
from marketdata.calendars import session_after
from predictions.tests.factories import forecast, model_version, stock

pytestmark = pytest.mark.django_db


def test_rule_fires_once_and_rearms_when_false() -> None:
    apple = stock()
    rule = price_rule(person(), apple, "100")
    close_at(apple, FIRST, "101")
    assert [alert.session for alert in evaluate_rules(on=FIRST, now=NOW)] == [FIRST]
    assert evaluate_rules(on=FIRST, now=NOW) == []
    close_at(apple, SECOND, "102")
    assert evaluate_rules(on=SECOND, now=NOW) == []
    close_at(apple, THIRD, "99")
    assert evaluate_rules(on=THIRD, now=NOW) == []
    close_at(apple, FOURTH, "103")
    assert [alert.rule for alert in evaluate_rules(on=FOURTH, now=NOW)] == [rule]
    assert Alert.objects.count() == 2


def test_signal_rule_fires_once_when_the_signal_changes() -> None:
    version, apple, ada = model_version(), stock(), person()
    rule = signal_rule(ada, apple, "BUY")
    for session, signal, raised in ((FIRST, "HOLD", 0), (SECOND, "BUY", 1), (THIRD, "BUY", 0)):
        close_at(apple, session, "100")
        target = session_after("XNAS", session, 5)
        forecast(apple, origin=session, target=target, signal=signal, model_version=version)
        assert len(evaluate_rules(on=session, now=NOW)) == raised
    rule.refresh_from_db()
    assert not rule.is_armed


def test_a_past_session_raises_nothing() -> None:
    apple = stock()
    price_rule(person(), apple, "100")
    close_at(apple, FIRST, "101")
    close_at(apple, SECOND, "99")
    assert evaluate_rules(on=FIRST, now=NOW) == []


def test_rule_is_unchanged_without_a_final_bar() -> None:
    apple = stock()
    rule = price_rule(person(), apple, "100")
    Rule.objects.filter(pk=rule.pk).update(is_armed=False)
    close_at(stock("NVDA"), FIRST, "400")
    close_at(apple, FIRST, "50", is_final=False)
    assert evaluate_rules(on=FIRST, now=NOW) == []
    rule.refresh_from_db()
    assert not rule.is_armed


def test_inactive_rules_and_users_are_skipped() -> None:
    apple, off, gone = stock(), person("off@example.com"), person("gone@example.com")
    Rule.objects.filter(pk=price_rule(off, apple, "100").pk).update(is_active=False)
    price_rule(gone, apple, "100")
    gone.is_active = False
    gone.save(update_fields=["is_active"])
    close_at(apple, FIRST, "101")
    assert evaluate_rules(on=FIRST, now=NOW) == []


def test_alert_text_states_close_and_threshold() -> None:
    apple = stock()
    price_rule(person(), apple, "100.50", Rule.Kind.PRICE_BELOW)
    close_at(apple, FIRST, "99.25")
    (alert,) = evaluate_rules(on=FIRST, now=NOW)
    assert alert.subject == "AAPL closed at $99.25, below your alert at $100.50"
    assert alert.body == f"{alert.subject}, on Tuesday, 19 September 2023."


def test_creating_the_same_rule_twice_returns_it() -> None:
    apple, ada = stock(), person()
    assert price_rule(ada, apple, "100") == price_rule(ada, apple, "100.00")
    assert Rule.objects.count() == 1


def test_number_of_rules_is_limited() -> None:
    apple, ada = stock(), person()
    first, second = (
        RuleRequest(instrument=apple, kind="signal_becomes", signal="BUY", horizon_sessions=h) for h in (5, 10)
    )
    create_rule(user=ada, request=first, limit=1, now=NOW)
    with pytest.raises(TooManyRules):
        create_rule(user=ada, request=second, limit=1, now=NOW)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "price_above"},
        {"kind": "price_above", "threshold": "-1"},
        {"kind": "signal_becomes", "signal": "BUY"},
        {"kind": "signal_becomes", "signal": "MEH", "horizon_sessions": 5},
        {"kind": "price_below", "threshold": "1", "signal": "BUY"},
    ],
)
def test_constraint_requires_the_fields_of_the_kind(fields: dict[str, str]) -> None:
    with pytest.raises(IntegrityError, match="rule_has_what_its_kind_needs"), transaction.atomic():
        Rule.objects.create(user=person(), instrument=stock(), created_at=NOW, **fields)


def test_unchanged_rules_need_no_query_each(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    apple, owner = stock(), person()
    for threshold in range(90, 110):
        price_rule(owner, apple, str(threshold))
    close_at(apple, FIRST, "100.5")
    assert len(evaluate_rules(on=FIRST, now=NOW)) == 11
    close_at(apple, SECOND, "100.5")
    # newest session, rules, closes
    with django_assert_num_queries(3):
        assert evaluate_rules(on=SECOND, now=NOW) == []
