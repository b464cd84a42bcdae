"""What `manage.py check_leaks` looks at: bars from a file or the bundled ones, and the news rules of an exchange."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np

from marketdata.calendars import close_instant, is_session
from marketdata.providers.sample import LAST_SESSION, SampleProvider, sample_instruments
from marketdata.records import BarRecord
from marketdata.sentiment.aggregate import Opinion, aggregate
from marketdata.sentiment.dating import session_that_knows
from mlops.forecasting.leaks import Article
from mlops.forecasting.types import PRICE_FIELDS, Panel
from mlops.panel_files import read_panel

MIC = "XNYS"
CLOSES_LOOKED_AT = 504


def sample_panel() -> Panel:
    """The bundled bars."""
    provider = SampleProvider()
    return _panel(
        (stock.symbol, bar)
        for stock in sample_instruments()
        for bar in provider.fetch_daily_bars(stock.symbol, first=date.min, last=LAST_SESSION).bars
    )


def panel_of_file(path: Path) -> tuple[Panel, int]:
    """The bars of a CSV or Parquet file, and how many are not believed. Raises PanelFileUnusable."""
    read = read_panel(path)
    return read.panel, sum(read.refused.values())


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


def _panel(bars: Iterable[tuple[str, BarRecord]]) -> Panel:
    """Symbols in their order, sessions ascending; NaN where there is no bar."""
    by_symbol: dict[str, dict[date, BarRecord]] = defaultdict(dict)
    for symbol, bar in bars:
        by_symbol[symbol][bar.session] = bar
    symbols = tuple(sorted(by_symbol))
    days = sorted({day for stored in by_symbol.values() for day in stored})
    place = {day: row for row, day in enumerate(days)}
    fields = {name: np.full((len(days), len(symbols)), np.nan) for name in PRICE_FIELDS}
    for column, symbol in enumerate(symbols):
        for day, bar in by_symbol[symbol].items():
            for name, values in fields.items():
                number = getattr(bar, name)
                values[place[day], column] = np.nan if number is None else float(number)
    return Panel(symbols=symbols, sessions=np.array(days, dtype="datetime64[D]"), **fields)
