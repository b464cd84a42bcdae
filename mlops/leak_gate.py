"""What `manage.py check_leaks` looks at: bars from a file or the bundled ones, and the news rules of an exchange."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marketdata.calendars import close_instant, is_session
from marketdata.columns import BarColumns, columns_of
from marketdata.providers.bar_cells import CellReader
from marketdata.providers.bar_file import read_chunks
from marketdata.providers.sample import LAST_SESSION, SampleProvider, sample_instruments
from marketdata.sentiment.aggregate import Opinion, aggregate
from marketdata.sentiment.dating import session_that_knows
from mlops.forecasting.leaks import Article
from mlops.forecasting.types import PRICE_FIELDS, Panel

MIC = "XNYS"
CLOSES_LOOKED_AT = 504


def sample_panel() -> Panel:
    """The bundled bars."""
    provider = SampleProvider()
    symbols = [stock.symbol for stock in sample_instruments()]
    histories = [provider.fetch_daily_bars(symbol, first=date.min, last=LAST_SESSION).bars for symbol in symbols]
    return _panel(
        symbols, np.repeat(np.arange(len(symbols)), list(map(len, histories))), list(map(columns_of, histories))
    )


def panel_of_file(path: Path) -> tuple[Panel, int]:
    """The bars of a CSV or Parquet file, and how many rows could not be read. Raises BarFileUnusable."""
    reader = CellReader()
    read = [reader.read(chunk) for chunk in read_chunks(path)]
    named = np.concatenate([part.symbol for part in read]) if read else np.empty(0, dtype=np.int64)
    return _panel(reader.symbols, named, [part.bars for part in read]), sum(len(part.odd) for part in read)


def closes_of(panel: Panel) -> list[tuple[date, datetime]]:
    """The newest sessions of the panel with the instants at which New York closed, early closes included."""
    days = panel.sessions[-CLOSES_LOOKED_AT:].astype(object).tolist()
    return [(day, close_instant(MIC, day)) for day in days if is_session(MIC, day)]


def session_news(articles: Sequence[Article], session: date) -> tuple[float, ...]:
    """What the session knows of the articles: their mood, how many it counts, and how many are dated into it."""
    dated = [article for article in articles if session_that_knows(MIC, article.published_at) == session]
    opinions = [Opinion(article.score, 1.0, article.published_at, "news") for article in dated]
    mood = aggregate(opinions, at=close_instant(MIC, session))
    return (mood.score or 0.0, float(mood.count), float(len(dated)))


def _panel(symbols: Sequence[str], named: NDArray[np.int64], parts: Sequence[BarColumns]) -> Panel:
    """One column a symbol, `named` saying whose each bar is; NaN where there is no bar."""
    days = np.concatenate([part.session for part in parts]) if parts else np.empty(0, dtype="datetime64[D]")
    sessions, rows = np.unique(days, return_inverse=True)
    fields = {name: np.full((len(sessions), len(symbols)), np.nan) for name in PRICE_FIELDS}
    for name, values in fields.items():
        if parts:
            values[rows, named] = np.concatenate([getattr(part, name) for part in parts])
    return Panel(symbols=tuple(symbols), sessions=sessions, **fields)
