"""Horizons, batch sizes and settings of forecasts."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

HORIZONS: tuple[int, ...] = (1, 5, 10, 20)
DEFAULT_HORIZON = 5
DISCLAIMER = "A statistical forecast with its uncertainty, not investment advice."

# Largest batch answered in one response; a larger one becomes a job, split into pieces.
MAX_IMMEDIATE_SYMBOLS = 50
MAX_BATCH_SYMBOLS = 10_000
PIECE_SIZE = 100
# After this time another worker may claim the piece.
PIECE_CLAIM_TTL = timedelta(minutes=1)
BATCH_RETENTION = timedelta(days=7)
PUBLIC_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ForecastSettings:
    """Settings of the forecast cache; `cache_seconds` is how long a cached answer is fresh."""

    cache_seconds: int

    def __post_init__(self) -> None:
        if not 300 <= self.cache_seconds <= 900:
            raise ValueError(f"must lie between 300 and 900 seconds, not {self.cache_seconds}")


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Where heads of the ledger are signed and published.

    `key_file` holds the private key. `peers` are URLs of other deployments, `calendars` those of OpenTimestamps, and
    `git_clone` is a clone whose remote gets the heads. This deployment stores heads that one of `trusted_keys` signed.
    """

    key_file: Path
    heads_file: Path
    timestamps_dir: Path
    mail_heads: bool = True
    git_clone: Path | None = None
    peers: tuple[str, ...] = ()
    calendars: tuple[str, ...] = ()
    trusted_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for url in (*self.peers, *self.calendars):
            if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
                raise ValueError("each URL must begin with http:// or https:// and name a host")
        for key in self.trusted_keys:
            if PUBLIC_KEY.fullmatch(key) is None:
                raise ValueError(f"a public key has 64 hexadecimal digits, unlike {key[:80]!r}")
