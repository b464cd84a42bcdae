"""People, what they agreed to, and what happened to their accounts."""

from accounts.models.acceptance import Acceptance
from accounts.models.audit_event import AuditEvent
from accounts.models.user import User, UserManager

__all__ = ["Acceptance", "AuditEvent", "User", "UserManager"]
