"""Horizons, batch sizes and settings of forecasts."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class ForecastSettings:
    """Settings of the forecast cache; `cache_seconds` is how long a cached answer is fresh."""

    cache_seconds: int

    def __post_init__(self) -> None:
        if not 300 <= self.cache_seconds <= 900:
            raise ValueError(f"must lie between 300 and 900 seconds, not {self.cache_seconds}")


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """`key_file` holds the private key that signs heads of the ledger."""

    key_file: Path
