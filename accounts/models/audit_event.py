"""What happened to accounts, keys and models, and who did it."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class AuditEvent(models.Model):
    """One thing that happened; rows are only added, and deleted when they have been kept long enough.

    The account's number stays when the account goes, and tells nobody who it was. `network` is the shortened address.
    """

    class Kind(models.TextChoices):
        SIGNED_UP = "signed_up", "account made"
        SIGNED_IN = "signed_in", "signed in"
        SIGN_IN_FAILED = "sign_in_failed", "sign-in refused"
        PASSWORD_CHANGED = "password_changed", "password changed"
        PASSWORD_RESET = "password_reset", "password reset by e-mail"
        EMAIL_CHANGED = "email_changed", "e-mail address changed"
        VENDOR_JOINED = "vendor_joined", "sign-in by a vendor added"
        VENDOR_REMOVED = "vendor_removed", "sign-in by a vendor removed"
        KEY_MADE = "key_made", "API key made"
        KEY_REVOKED = "key_revoked", "API key revoked"
        DATA_EXPORTED = "data_exported", "data exported"
        CHANGED_BY_STAFF = "changed_by_staff", "changed by staff"
        ACCOUNT_DELETED = "account_deleted", "account deleted"
        MODEL_PROMOTED = "model_promoted", "model promoted"
        MODEL_ROLLED_BACK = "model_rolled_back", "model rolled back"
        AUDIT_SHORTENED = "audit_shortened", "old events deleted"

    kind = models.CharField(max_length=20, choices=Kind)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
    )
    detail = models.CharField(max_length=200, blank=True)
    network = models.CharField(max_length=43, blank=True)
    recorded_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering: ClassVar = ["-recorded_at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["user", "-recorded_at"], name="audit_event_by_user")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.detail}".strip()
