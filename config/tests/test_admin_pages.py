"""Every admin page opens for staff: lists, details and add forms."""

from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import User
from alerts.models import Alert, Rule
from alerts.tests.factories import person, price_rule
from marketdata.models import IngestionRun, QuarantinedBar
from mlops.models import AliasChange, Evaluation, TrainingRun
from predictions.models import LedgerCheck
from predictions.services.ledger import record_head
from predictions.tests.factories import at
from predictions.tests.scene import NOW, ORIGIN, Scene, record_outcome, scene

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def filled() -> Scene:
    """At least one row of every kind."""
    shown = scene()
    apple, version = shown.instruments["AAPL"], shown.version
    record_outcome(shown.forecasts["AAPL", 5], right=True)
    TrainingRun.objects.create(reason="weekly retrain", seed=7, requested_at=NOW)
    Evaluation.objects.create(
        challenger=version, champion=version, rule="superiority", decision="keep", reason="a copy",
        first=ORIGIN, last=ORIGIN, created_at=NOW,
    )  # fmt: skip
    AliasChange.objects.create(alias="champion", version=version, starts_at=NOW, reason="first trained version")
    price_rule(person(), apple, "100")
    record_head(clock=at(NOW))
    LedgerCheck.objects.create(checked_at=NOW, seconds=1.5, forecasts=12, fault="Forecast 1: altered.")
    return shown


def pages_of(model: type[Model]) -> list[str]:
    """Return the change list and one change page."""
    names = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    found = [reverse(f"{names}_changelist")]
    row = model._default_manager.first()
    return [*found, reverse(f"{names}_change", args=[row.pk])] if row else found


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_lists_rows_and_forms_open(admin_client: Client, admin_user: Any, filled: Scene, model: type[Model]) -> None:
    for path in pages_of(model):
        assert admin_client.get(path).status_code == 200, path
    request = RequestFactory().get("/")
    request.user = admin_user
    may_add = admin.site._registry[model].has_add_permission(request)
    form = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
    assert admin_client.get(form).status_code == (200 if may_add else 403)


def test_generated_rows_are_read_only(admin_client: Client, filled: Scene) -> None:
    forecast = filled.forecasts["AAPL", 5]
    path = reverse("admin:predictions_forecast_change", args=[forecast.pk])
    assert admin_client.post(path, {"predicted_price": "1"}).status_code == 403
    assert admin_client.get(reverse("admin:predictions_forecast_delete", args=[forecast.pk])).status_code == 403
    assert {IngestionRun, QuarantinedBar, Alert, Rule} < set(MODELS), "operators see these tables"


def test_staff_create_an_account(admin_client: Client) -> None:
    answers = {"email": "grace@example.com", "password1": "correct horse battery", "password2": "correct horse battery"}
    answer = admin_client.post(reverse("admin:accounts_user_add"), {**answers, "usable_password": "true"})
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    assert User.objects.get(email="grace@example.com").check_password("correct horse battery")
