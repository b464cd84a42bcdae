"""Alert pages."""

import pytest
from django.test import Client

from alerts.models import Rule
from alerts.tests.factories import person, price_rule
from predictions.tests.factories import stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(client: Client) -> Client:
    client.force_login(person())
    return client


def test_alert_pages_require_sign_in(client: Client) -> None:
    answer = client.get("/alerts/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_rule_is_created_and_listed(signed_in: Client) -> None:
    stock("BRK.B")
    form = {"symbol": "brk-b", "kind": "signal_becomes", "signal": "BUY", "horizon_sessions": "5", "threshold": "7"}
    answer = signed_in.post("/alerts/", form, follow=True)
    rule = Rule.objects.get()
    assert (rule.instrument.symbol, rule.signal, rule.horizon_sessions, rule.threshold) == ("BRK.B", "BUY", 5, None)
    assert b"5-day signal changes to BUY" in answer.content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbol": "AAPLE"}, "Did you mean AAPL?"),
        ({"symbol": "!!"}, "Invalid symbol"),
        ({"threshold": ""}, "Enter a price above 0."),
        ({"threshold": "-3"}, "Enter a price above 0."),
        ({"threshold": "NaN"}, "Enter the price as a number"),
        ({"kind": "signal_becomes"}, "Choose a signal."),
        ({"kind": "full_moon"}, "Select a valid choice"),
    ],
)
def test_invalid_form_shows_errors_and_stores_nothing(signed_in: Client, change: dict[str, str], message: str) -> None:
    stock()
    answer = signed_in.post("/alerts/", {"symbol": "AAPL", "kind": "price_above", "threshold": "1", **change})
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not Rule.objects.exists()


def test_rules_of_others_cannot_be_deleted(signed_in: Client) -> None:
    others = price_rule(person("eve@example.com"), stock(), "1")
    assert signed_in.post(f"/alerts/{others.pk}/delete").status_code == 404
    assert Rule.objects.filter(pk=others.pk).exists()


def test_fragment_shows_form_or_sign_in_link(client: Client) -> None:
    assert b"Sign in" in client.get("/alerts/form?symbol=AAPL").content
    client.force_login(person())
    assert b'value="AAPL"' in client.get("/alerts/form?symbol=AAPL").content


def test_form_is_prefilled_from_the_query(signed_in: Client) -> None:
    for path in ("/alerts/form", "/alerts/"):
        html = signed_in.get(f"{path}?symbol=AAPL&horizon=20").content.decode()
        assert '<option value="20" selected>20 trading days</option>' in html
        assert '<option value="BUY">BUY</option>' in html
    assert '<option value="5" selected>' in signed_in.get("/alerts/form?symbol=AAPL&horizon=7").content.decode()


def test_sign_in_link_returns_to_the_prefilled_form(client: Client) -> None:
    html = client.get("/alerts/form?symbol=AAPL&horizon=20").content.decode()
    assert html.count("?next=/alerts/%3Fsymbol%3DAAPL%26horizon%3D20") == 2
