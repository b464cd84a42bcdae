"""Tables of users, plans, API keys, token families, usage, agreements and audit.

Imported by every layer of accounts and by higher apps; rules across rows are in services.
"""

from accounts.models.acceptance import Acceptance
from accounts.models.api_key import ApiKey, Scope
from accounts.models.audit_event import AuditEvent
from accounts.models.idempotent_call import IdempotentCall
from accounts.models.plan import Plan
from accounts.models.request_log import RequestLog
from accounts.models.token_family import TokenFamily
from accounts.models.usage_day import UsageDay
from accounts.models.user import User, UserManager

__all__ = [
    "Acceptance",
    "ApiKey",
    "AuditEvent",
    "IdempotentCall",
    "Plan",
    "RequestLog",
    "Scope",
    "TokenFamily",
    "UsageDay",
    "User",
    "UserManager",
]
