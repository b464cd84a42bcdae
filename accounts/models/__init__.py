"""People, what they may use and how much of it, and the keys and tokens that stand for them."""

from accounts.models.api_key import ApiKey, Scope
from accounts.models.plan import Plan
from accounts.models.token_family import TokenFamily
from accounts.models.user import User, UserManager

__all__ = [
    "ApiKey",
    "Plan",
    "Scope",
    "TokenFamily",
    "User",
    "UserManager",
]
