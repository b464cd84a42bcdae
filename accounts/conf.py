"""What can be set about people, how they sign in, their limits and their credentials."""

from dataclasses import dataclass, field
from typing import Any

VENDORS = {"google": "Google", "github": "GitHub"}
_WEB_ADDRESS = {"google": "https://accounts.google.com", "github": "https://github.com"}
_SCOPE = {"google": ["email"], "github": ["user:email"]}

# What a refusal says about how to sign in.
CHALLENGE = 'Bearer realm="hindcast"'
ANONYMOUS_PLAN = "anonymous"
DEFAULT_PLAN = "free"
# Name, calls a minute, calls a day; None is no limit.
BUILT_IN_PLANS: tuple[tuple[str, int | None, int | None], ...] = (
    (ANONYMOUS_PLAN, 10, None),
    (DEFAULT_PLAN, 60, 5_000),
    ("pro", 600, None),
    ("unlimited", None, None),
)

# The database itself lets nothing younger go.
LEAST_AUDIT_DAYS = 90


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """The last `trusted_proxies` hops may name the client; a new database begins with `anonymous_per_minute` read calls
    for each client address, which staff change in the plan.

    Attempts at the doors: `attempts_per_address` to sign in a minute and to register an hour, `attempts_per_account`
    to sign in within five minutes.
    """

    anonymous_per_minute: int
    trusted_proxies: int
    attempts_per_address: int = 20
    attempts_per_account: int = 10

    def __post_init__(self) -> None:
        for least_one in (self.anonymous_per_minute, self.attempts_per_address, self.attempts_per_account):
            if least_one < 1:
                raise ValueError(f"must be at least 1, not {least_one}")
        if self.trusted_proxies < 0:
            raise ValueError("must not be negative")


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """This site as a client of a vendor that vouches for people; `base_url` names a GitHub of one's own."""

    vendor: str
    client_id: str
    client_secret: str = field(repr=False)
    base_url: str = ""

    def __post_init__(self) -> None:
        if bool(self.client_id) != bool(self.client_secret):
            name = self.vendor.upper()
            raise ValueError(f"{name}_CLIENT_ID and {name}_CLIENT_SECRET belong together; set both or neither")

    @property
    def is_named(self) -> bool:
        """Whether people can be sent there."""
        return bool(self.client_id)

    @property
    def origin(self) -> str:
        """Where a person's browser is sent."""
        return self.base_url or _WEB_ADDRESS[self.vendor]

    def provider(self) -> dict[str, Any]:
        """The entry of `SOCIALACCOUNT_PROVIDERS`."""
        app = {"client_id": self.client_id, "secret": self.client_secret, "key": ""}
        entry: dict[str, Any] = {"APPS": [app], "SCOPE": _SCOPE[self.vendor], "OAUTH_PKCE_ENABLED": True}
        return {**entry, "GITHUB_URL": self.base_url} if self.base_url else entry


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """`email_verification` is none or mandatory; `oauth_clients` are the vendors that people may sign in with."""

    email_verification: str
    oauth_clients: tuple[OAuthClient, ...]


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """`key_secret` makes the digests of API keys; without it the site's secret key does, and keys end with that.

    Requests are kept for `request_log_days`, what happened to accounts for `audit_days`; 0 keeps that for ever.
    """

    key_secret: str = field(default="", repr=False)
    request_log_days: int = 30
    audit_days: int = 730

    def __post_init__(self) -> None:
        if self.request_log_days < 1:
            raise ValueError(f"requests are kept for at least 1 day, not {self.request_log_days}")
        if self.audit_days and self.audit_days < LEAST_AUDIT_DAYS:
            raise ValueError(f"the audit is kept for {LEAST_AUDIT_DAYS} days or more, or for ever with 0")
