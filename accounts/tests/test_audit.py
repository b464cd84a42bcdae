"""The audit log: append-only, pruned after retention, readable by staff."""

from datetime import timedelta

import pytest
from django.db import InternalError, connection, transaction
from django.db.utils import IntegrityError
from django.test import Client
from django.utils import timezone

from accounts.conf import IdentitySettings
from accounts.models import AuditEvent, User
from accounts.services.audit import record
from accounts.services.retention import delete_expired_rows
from accounts.tests.conftest import PASSWORD
from accounts.tests.factories import family_of, key_of
from accounts.wall_clock import utc_now

Kind = AuditEvent.Kind

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "change", ["UPDATE accounts_auditevent SET detail = 'else'", "DELETE FROM accounts_auditevent"]
)
def test_audit_rows_cannot_be_changed_or_deleted(ada: User, change: str) -> None:
    record(kind=Kind.KEY_CREATED, user=ada, now=timezone.now(), detail="hc_ab12")
    with pytest.raises((IntegrityError, InternalError), match="append-only"), transaction.atomic():
        connection.cursor().execute(change)
    event = AuditEvent.objects.get()
    assert (event.kind, event.detail, event.network) == (Kind.KEY_CREATED, "hc_ab12", "")


def recorded(user: User, *days_ago: int) -> None:
    for days in days_ago:
        record(kind=Kind.SIGNED_IN, user=user, now=utc_now() - timedelta(days=days))


def test_events_past_retention_are_deleted_and_that_is_recorded(ada: User) -> None:
    recorded(ada, 731, 800, 729, 1)
    now = utc_now()
    assert delete_expired_rows(request_log_days=30, audit_days=730, now=now)["events"] == 2
    event = AuditEvent.objects.get(kind=Kind.AUDIT_PRUNED)
    assert event.detail == f"2 from before {now - timedelta(days=730):%Y-%m-%d}"
    assert AuditEvent.objects.filter(kind=Kind.SIGNED_IN).count() == 2
    assert delete_expired_rows(request_log_days=30, audit_days=730, now=now)["events"] == 0
    assert AuditEvent.objects.count() == 3


def test_audit_retention_of_zero_deletes_nothing(ada: User) -> None:
    recorded(ada, 4000)
    assert delete_expired_rows(request_log_days=30, audit_days=0, now=utc_now())["events"] == 0
    assert AuditEvent.objects.count() == 1


def test_database_refuses_to_delete_events_younger_than_90_days(ada: User) -> None:
    recorded(ada, 100, 80)
    with pytest.raises((IntegrityError, InternalError), match="append-only"), transaction.atomic():
        delete_expired_rows(request_log_days=30, audit_days=70, now=utc_now())
    assert delete_expired_rows(request_log_days=30, audit_days=90, now=utc_now())["events"] == 1
    with pytest.raises((IntegrityError, InternalError), match="append-only"), transaction.atomic():
        connection.cursor().execute("DELETE FROM accounts_auditevent")


@pytest.mark.parametrize("days", [-1, 89])
def test_retention_under_90_days_is_invalid(days: int) -> None:
    with pytest.raises(ValueError, match="at least 90 days, or without limit with 0"):
        IdentitySettings(audit_days=days)


def test_failed_sign_in_does_not_store_the_entered_text(client: Client, ada: User) -> None:
    client.post("/accounts/login/", {"login": ada.email, "password": "secret-one"})
    client.post("/accounts/login/", {"login": "secret-two@example.com", "password": "x"})
    rows = AuditEvent.objects.order_by("pk").values_list("kind", "user_id", "detail")
    assert list(rows) == [
        (Kind.SIGN_IN_FAILED, ada.pk, ""),
        (Kind.SIGN_IN_FAILED, None, "unknown address"),
    ]


def test_staff_can_read_but_not_change_the_audit_log(client: Client, ada: User) -> None:
    record(kind=Kind.KEY_REVOKED, user=ada, now=timezone.now(), detail="hc_ab12")
    record(kind=Kind.KEY_CREATED, user=User(pk=4711), now=timezone.now())
    client.force_login(User.objects.create_superuser("root@example.com", PASSWORD))
    page = client.get("/admin/accounts/auditevent/").content.decode()
    assert ada.email in page
    assert "hc_ab12" in page
    assert "deleted account 4711" in page
    assert client.get("/admin/accounts/auditevent/add/").status_code == 403
    event = AuditEvent.objects.first()
    assert event is not None
    assert client.post(f"/admin/accounts/auditevent/{event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "disclaimer" in client.get(f"/admin/accounts/user/{ada.pk}/change/").content.decode()


def test_staff_revocations_appear_in_the_owners_activity(client: Client, ada: User) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    client.force_login(root)
    key, family = key_of(ada)[0], family_of(ada)
    for row, kind in ((key, "apikey"), (family, "tokenfamily")):
        for _ in range(2):
            answer = client.post(f"/admin/accounts/{kind}/", {"action": "revoke", "_selected_action": [str(row.pk)]})
            assert answer.status_code == 302
        row.refresh_from_db()
        ended = row.revoked_at
        assert ended is not None
        form = {"name": "another", "expires_at_0": "", "expires_at_1": "", "revoked_at_0": "", "revoked_at_1": ""}
        assert client.post(f"/admin/accounts/{kind}/{row.pk}/change/", form).status_code == 302
        assert client.post(f"/admin/accounts/{kind}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
        row.refresh_from_db()
        assert row.revoked_at == ended
    by = f"by account {root.pk}"
    events = list(AuditEvent.objects.filter(user=ada).order_by("pk").values_list("kind", "detail"))
    assert events == [
        (Kind.KEY_REVOKED, f"{key.prefix} test {by}"),
        (Kind.CHANGED_BY_STAFF, f"key {key.prefix} {by}"),
        (Kind.CHANGED_BY_STAFF, f"API session revoked {by}"),
    ]


def test_staff_changes_appear_in_the_owners_activity(client: Client, signed_in: Client, ada: User) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    staff = Client()
    staff.force_login(root)
    new = {"usable_password": "true", "password1": "another fine horse", "password2": "another fine horse"}
    assert staff.post(f"/admin/accounts/user/{ada.pk}/password/", new).status_code == 302
    client.force_login(User.objects.get(pk=ada.pk))
    page = client.get("/accounts/").content.decode()
    assert f'changed by staff <span class="quiet">(by account {root.pk})</span>' in page
    assert staff.post(f"/admin/accounts/user/{ada.pk}/delete/", {"post": "yes"}).status_code == 302
    last = AuditEvent.objects.filter(user_id=ada.pk).first()
    assert last is not None
    assert (last.kind, last.detail) == (Kind.ACCOUNT_DELETED, f"by account {root.pk}")
