"""What can be set about people, their limits and their credentials."""

from dataclasses import dataclass, field

# What a refusal says about how to sign in.
CHALLENGE = 'Bearer realm="hindcast"'
ANONYMOUS_PLAN = "anonymous"
DEFAULT_PLAN = "free"
# Name, calls a minute, calls a day; None is no limit.
SEEDED_PLANS: tuple[tuple[str, int | None, int | None], ...] = (
    (ANONYMOUS_PLAN, 10, None),
    (DEFAULT_PLAN, 60, 5_000),
    ("pro", 600, None),
    ("unlimited", None, None),
)


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """`anonymous_per_minute` read calls per client address; the last `trusted_proxies` hops may name the client."""

    anonymous_per_minute: int
    trusted_proxies: int

    def __post_init__(self) -> None:
        if self.anonymous_per_minute < 1:
            raise ValueError(f"must be at least 1, not {self.anonymous_per_minute}")
        if self.trusted_proxies < 0:
            raise ValueError("must not be negative")


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """`key_secret` makes the digests of API keys; without it the site's secret key does, and keys end with that."""

    key_secret: str = field(default="", repr=False)
