"""Staff can look at forecasts and outcomes and change neither."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from predictions.services.scoring import score_matured
from predictions.tests.factories import NOW, TARGET, bar, forecast, model_version, stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "correct horse"))
    return client


@pytest.mark.parametrize("filters", ["", "?kind=live&status=issued&horizon_sessions=5&signal=HOLD", "?q=AAPL"])
def test_forecasts_are_listed_and_filtered(staff: Client, filters: str) -> None:
    model_version()
    stored_rows = forecast(stock())
    page = staff.get(reverse("admin:predictions_forecast_changelist") + filters)
    assert page.status_code == 200
    assert list(page.context["cl"].queryset) == [stored_rows]


def test_one_forecast_is_shown_with_its_outcome_and_cannot_be_changed(staff: Client) -> None:
    model_version()
    apple = stock()
    stored_rows = forecast(apple)
    bar(apple, TARGET, "97.5")
    score_matured(now=NOW)
    address = reverse("admin:predictions_forecast_change", args=[stored_rows.pk])
    assert "97.5" in staff.get(address).content.decode()
    assert staff.post(address, {"signal": "BUY"}).status_code == 403
    assert staff.get(reverse("admin:predictions_forecast_add")).status_code == 403
    assert staff.post(reverse("admin:predictions_forecast_delete", args=[stored_rows.pk])).status_code == 403
    assert staff.get(reverse("admin:predictions_outcome_changelist")).status_code == 200
