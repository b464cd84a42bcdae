"""Settings of alerts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """`rules_per_user` limits the rules of one account; `site_url` is the base of links in messages."""

    rules_per_user: int
    site_url: str

    def __post_init__(self) -> None:
        if self.rules_per_user < 1:
            raise ValueError("must be at least 1")
        if not self.site_url.startswith(("http://", "https://")):
            raise ValueError(f"must start with http:// or https://, not {self.site_url!r}")
