"""Token families: all tokens issued from one API sign-in, revoked together."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models


class TokenFamily(models.Model):
    """One API sign-in. `session_hash` depends on the password, so a new password revokes every family."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="token_families")
    session_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=20, blank=True, help_text="Why it was revoked.")

    class Meta:
        verbose_name_plural = "token families"
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="token_family_expires")]
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"
