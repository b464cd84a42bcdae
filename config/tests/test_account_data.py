"""Data export and deletion of an account across the apps."""

import json
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.test import Client

from accounts.models import AuditEvent, RequestLog, UsageDay, User
from accounts.services.agreements import accept_documents
from alerts.models import Alert, DeliveryAttempt, Rule
from alerts.tests.factories import FIRST, NOW, price_rule
from config.account_export import EXPORTS
from marketdata.tests.factories import stock
from predictions.services.batch import open_batch

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
# Section of the export for each model that refers to users, or the reason why it has none.
ACCOUNTED_FOR = {
    "account.EmailAddress": "account: addresses",
    "accounts.Acceptance": "account: agreements",
    "accounts.AuditEvent": "account: events",
    "accounts.ApiKey": "account: keys",
    "accounts.UsageDay": "account: usage",
    "accounts.RequestLog": "account: requests",
    "accounts.TokenFamily": "account: api_sessions",
    "token_blacklist.OutstandingToken": "account: api_sessions",
    "socialaccount.SocialAccount": "account: connected_accounts",
    "alerts.Rule": "alerts: rules",
    "predictions.BatchJob": "predictions: batches",
    "accounts.User_groups": "what staff may do, set by staff",
    "accounts.User_user_permissions": "what staff may do, set by staff",
    "admin.LogEntry": "what staff did in the admin",
    "marketdata.HistoryReview": "what staff decided about prices; without the name once the account is gone",
    "mlops.AliasChange": "what staff did to models; public, and without the name once the account is gone",
}


@pytest.fixture
def ada() -> User:
    """A user with a triggered rule and a delivered alert."""
    user = User.objects.create_user("ada@example.com", PASSWORD)
    rule = price_rule(user, stock("AAPL"), "150")
    alert = Alert.objects.create(rule=rule, session=FIRST, subject="AAPL above 150", body="So it is.", raised_at=NOW)
    DeliveryAttempt.objects.create(alert=alert, channel="email", recipient=user.email, status="sent", started_at=NOW)
    UsageDay.objects.create(user=user, day=FIRST, endpoint="predict", calls=3, errors=0)
    RequestLog.objects.create(
        at=NOW, user=user, method="GET", endpoint="predict", path="/api/v1/predict", status=200, duration_ms=1.5
    )
    open_batch(owner_id=user.pk, words=["AAPL", "BRK.B"], horizon=5, now=NOW)
    return user


def export_of(client: Client, user: User) -> dict[str, Any]:
    """The exported document."""
    client.force_login(user)
    answer = client.post("/accounts/export")
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith('attachment; filename="hindcast-')
    assert "no-store" in answer["Cache-Control"]
    whole: dict[str, Any] = json.loads(answer.content)
    return whole


def test_export_has_the_rows_of_every_app(client: Client, ada: User) -> None:
    whole = export_of(client, ada)
    assert sorted(whole) == sorted([*EXPORTS, "exported_at"])
    assert whole["account"]["email"] == "ada@example.com"
    assert whole["account"]["events"][0]["kind"] == AuditEvent.Kind.DATA_EXPORTED
    (rule,) = whole["alerts"]["rules"]
    assert (rule["symbol"], rule["condition"]) == ("AAPL", "closes above $150.00")
    (alert,) = rule["alerts"]
    assert alert["body"] == "So it is."
    assert alert["deliveries"] == [{"channel": "email", "to": "ada@example.com", "status": "sent"}]
    assert [(row["endpoint"], row["calls"]) for row in whole["account"]["usage"]] == [("predict", 3)]
    assert [(row["path"], row["status"]) for row in whole["account"]["requests"]] == [("/api/v1/predict", 200)]
    (batch,) = whole["predictions"]["batches"]
    assert (batch["symbols"], batch["horizon"], batch["state"]) == (["AAPL", "BRK.B"], 5, "waiting")
    assert ada.password not in json.dumps(whole)


def test_export_has_no_rows_of_others(client: Client, ada: User) -> None:
    other = User.objects.create_user("grace@example.com", PASSWORD)
    text = json.dumps(export_of(client, other))
    assert "grace@example.com" in text
    assert ada.email not in text
    assert "AAPL" not in text


def test_every_model_with_a_user_key_is_exported_or_exempt() -> None:
    pointing = {
        model._meta.label
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
        if field.concrete and field.related_model is get_user_model() and not field.many_to_many
    }
    assert len(pointing) > 5
    missing = pointing - set(ACCOUNTED_FOR)
    assert missing == set(), "export it in the app's selectors.export_for and say here where, or say why not"


def test_export_requires_a_post_by_the_owner(client: Client, ada: User) -> None:
    assert client.post("/accounts/export")["Location"].startswith("/accounts/login/")
    client.force_login(ada)
    assert client.get("/accounts/export").status_code == 405


def test_staff_can_delete_a_user_with_rows_everywhere(client: Client, ada: User) -> None:
    accept_documents(user=ada, now=NOW)
    client.force_login(User.objects.create_superuser("root@example.com", PASSWORD))
    assert client.post(f"/admin/accounts/user/{ada.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=ada.pk).exists()
    assert not Rule.objects.exists()


def test_staff_cannot_delete_the_last_administrator(client: Client, ada: User) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    client.force_login(root)
    chosen = {"action": "delete_selected", "_selected_action": [str(ada.pk), str(root.pk)], "post": "yes"}
    for path, form in (("", chosen), (f"{root.pk}/delete/", {"post": "yes"})):
        answer = client.post(f"/admin/accounts/user/{path}", form)
        assert answer.status_code == 200
        assert "This is the only administrator" in answer.content.decode()
    assert set(User.objects.all()) == {ada, root}
    User.objects.create_superuser("second@example.com", PASSWORD)
    assert client.post("/admin/accounts/user/", chosen).status_code == 302
    assert User.objects.get().email == "second@example.com"


def test_account_deletion_removes_only_its_own_alerts(client: Client, ada: User) -> None:
    other = User.objects.create_user("grace@example.com", PASSWORD)
    remaining = price_rule(other, stock("NVDA"), "100")
    client.force_login(ada)
    assert client.post("/accounts/delete", {"password": PASSWORD, "confirmed": "on"}).status_code == 302
    assert list(Rule.objects.all()) == [remaining]
    assert not DeliveryAttempt.objects.exists()
