"""Settings of accounts: sign-in, limits, credentials and retention."""

from dataclasses import dataclass, field, fields
from typing import Any

IDENTITY_PROVIDERS = {"google": "Google", "github": "GitHub"}
_WEB_ORIGIN = {"google": "https://accounts.google.com", "github": "https://github.com"}
_SCOPE = {"google": ["email"], "github": ["user:email"]}

# Value of WWW-Authenticate with 401.
CHALLENGE = 'Bearer realm="hindcast"'
ANONYMOUS_PLAN = "anonymous"
DEFAULT_PLAN = "free"
# Name, calls per minute, calls per day; None means no limit.
BUILT_IN_PLANS: tuple[tuple[str, int | None, int | None], ...] = (
    (ANONYMOUS_PLAN, 10, None),
    (DEFAULT_PLAN, 60, 5_000),
    ("pro", 600, None),
    ("unlimited", None, None),
)

MAX_PEPPER_ID = 8
# A trigger refuses to delete younger rows.
MIN_AUDIT_DAYS = 90


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """`trusted_proxies` is the number of proxies whose X-Forwarded-For entries are trusted.

    `anonymous_per_minute` is the initial limit of the plan `anonymous`. `attempts_per_address` limits sign-ins per
    minute and registrations per hour, `attempts_per_account` wrong passwords per five minutes and network. The limits
    of sockets, commands and searches hold for one `edge` process, those of commands and searches per minute.
    """

    anonymous_per_minute: int
    trusted_proxies: int
    attempts_per_address: int = 20
    attempts_per_account: int = 10
    pages_per_minute: int = 300
    sockets_per_address: int = 100
    sockets_per_account: int = 50
    commands_per_socket: int = 120
    commands_per_minute: int = 600
    searches_per_minute: int = 60

    def __post_init__(self) -> None:
        for one in fields(self):
            if one.name != "trusted_proxies" and getattr(self, one.name) < 1:
                raise ValueError(f"must be at least 1, not {getattr(self, one.name)}")
        if self.trusted_proxies < 0:
            raise ValueError("must not be negative")


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """OAuth client of an identity provider; `base_url` is set for GitHub Enterprise."""

    provider_id: str
    client_id: str
    client_secret: str = field(repr=False)
    base_url: str = ""

    def __post_init__(self) -> None:
        if bool(self.client_id) != bool(self.client_secret):
            name = self.provider_id.upper()
            raise ValueError(f"{name}_CLIENT_ID and {name}_CLIENT_SECRET must be set together")

    @property
    def is_configured(self) -> bool:
        """Return whether sign-in with this provider is available."""
        return bool(self.client_id)

    @property
    def origin(self) -> str:
        """Return the origin that browsers are redirected to."""
        return self.base_url or _WEB_ORIGIN[self.provider_id]

    def provider(self) -> dict[str, Any]:
        """Return the entry of `SOCIALACCOUNT_PROVIDERS`."""
        app = {"client_id": self.client_id, "secret": self.client_secret, "key": ""}
        entry: dict[str, Any] = {"APPS": [app], "SCOPE": _SCOPE[self.provider_id], "OAUTH_PKCE_ENABLED": True}
        return {**entry, "GITHUB_URL": self.base_url} if self.base_url else entry


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """`email_verification` is none or mandatory; `oauth_clients` are the identity providers."""

    email_verification: str
    oauth_clients: tuple[OAuthClient, ...]


@dataclass(frozen=True, slots=True)
class KeyPepper:
    """An HMAC secret of API keys; `pepper_id` is stored with each key that uses it."""

    pepper_id: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if not (self.pepper_id.isalnum() and len(self.pepper_id) <= MAX_PEPPER_ID and self.secret):
            raise ValueError(f"write each pepper as ID:SECRET with an id of 1 to {MAX_PEPPER_ID} letters or digits")

    @classmethod
    def parse_all(cls, text: str) -> "tuple[KeyPepper, ...]":
        """Return the peppers in `ID:SECRET,ID:SECRET`, the current one first. Raises ValueError."""
        parts = (one.strip().partition(":") for one in text.split(",") if one.strip())
        return tuple(cls(pepper_id, secret) for pepper_id, _, secret in parts)


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """`key_peppers` are the HMAC secrets of API keys; the first signs new keys, the others are accepted.

    `request_log_days` and `audit_days` are retention periods; 0 keeps the audit log without limit.
    `staff_email` and `staff_password` are the first account that `manage.py bootstrap` creates.
    """

    key_peppers: tuple[KeyPepper, ...] = ()
    request_log_days: int = 30
    audit_days: int = 730
    staff_email: str = "staff@localhost"
    staff_password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if len({pepper.pepper_id for pepper in self.key_peppers}) < len(self.key_peppers):
            raise ValueError("each pepper needs an id of its own")
        if self.request_log_days < 1:
            raise ValueError(f"the request log is kept for at least 1 day, not {self.request_log_days}")
        if self.audit_days and self.audit_days < MIN_AUDIT_DAYS:
            raise ValueError(f"the audit log is kept for at least {MIN_AUDIT_DAYS} days, or without limit with 0")
