"""Types of the numerics: panel of daily bars, horizons, progress callback."""

from dataclasses import dataclass, fields
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

HORIZONS: tuple[int, ...] = (1, 5, 10, 20)


class Progress(Protocol):
    """Reports how far a long computation is: a share in 0..1 and what is being done."""

    def __call__(self, share: float, stage: str) -> None: ...


def no_progress(share: float, stage: str) -> None:
    """Ignore progress."""


def part_of(progress: Progress, start: float, end: float, scope: str = "") -> Progress:
    """Return a callback that maps the progress of one step to a part of the whole, with `scope` after its stages."""
    return lambda share, stage: progress(start + (end - start) * share, f"{stage} ({scope})" if scope else stage)


@dataclass(frozen=True, slots=True)
class Panel:
    """Daily bars of several instruments on common sessions.

    sessions: datetime64[D], shape (n,), strictly ascending. Every other array: float64, shape (n, m), one column a
    symbol, NaN where the instrument has no bar. Prices are split-adjusted on one basis, in the instrument's currency.
    news_score: in [-1, 1], what the articles that could be known at the close of the session say, NaN without any;
    news_count: how many there were, 0 without any. Both are None where no news was read.
    Raises ValueError when the shapes do not agree or the sessions do not ascend.
    """

    symbols: tuple[str, ...]
    sessions: NDArray[np.datetime64]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    adjusted_close: FloatArray
    volume: FloatArray
    news_score: FloatArray | None = None
    news_count: FloatArray | None = None

    def __post_init__(self) -> None:
        shape = (len(self.sessions), len(self.symbols))
        if (self.news_score is None) != (self.news_count is None):
            raise ValueError("news_score and news_count are not both there")
        for name in (*PRICE_FIELDS, *NEWS_FIELDS):
            values = getattr(self, name)
            if values is not None and values.shape != shape:
                raise ValueError(f"{name} has the shape {values.shape}, not {shape}")
        if len(self.sessions) > 1 and not (np.diff(self.sessions) > np.timedelta64(0, "D")).all():
            raise ValueError("the sessions do not ascend")

    def through(self, last: date) -> "Panel":
        """Return the panel without sessions after `last`."""
        end = int(np.searchsorted(self.sessions, np.datetime64(last), side="right"))
        read = PRICE_FIELDS if self.news_score is None else (*PRICE_FIELDS, *NEWS_FIELDS)
        cut = {name: getattr(self, name)[:end] for name in read}
        return Panel(symbols=self.symbols, sessions=self.sessions[:end], **cut)

    def row_of(self, session: date) -> int:
        """Return the row of `session`. Raises ValueError if the panel has no such session."""
        row = int(np.searchsorted(self.sessions, np.datetime64(session)))
        if row == len(self.sessions) or self.sessions[row] != np.datetime64(session):
            raise ValueError(f"the panel has no session {session}")
        return row


NEWS_FIELDS = ("news_score", "news_count")
PRICE_FIELDS = tuple(field.name for field in fields(Panel) if field.name not in ("symbols", "sessions", *NEWS_FIELDS))
