"""Inputs of `manage.py check_leaks`: the sample prices, and the news rules of an exchange."""

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np

from marketdata.bar_columns import columns_from_records
from marketdata.calendars import close_instant, is_session, session_for_publication
from marketdata.providers.sample import LAST_SESSION, SampleProvider, sample_instruments
from marketdata.sentiment.aggregate import ScoredArticle, aggregate
from mlops.forecasting.leaks import Article
from mlops.forecasting.types import PRICE_FIELDS, Panel

MIC = "XNYS"
CHECKED_CLOSES = 504


def sample_panel() -> Panel:
    """Return the panel of the sample prices; NaN where there is no bar."""
    provider = SampleProvider()
    bars = {
        stock.symbol: columns_from_records(
            provider.fetch_daily_bars(stock.symbol, first=date.min, last=LAST_SESSION).bars
        )
        for stock in sample_instruments()
    }
    sessions = np.unique(np.concatenate([columns.session for columns in bars.values()]))
    fields = {name: np.full((len(sessions), len(bars)), np.nan) for name in PRICE_FIELDS}
    for column, columns in enumerate(bars.values()):
        rows = np.searchsorted(sessions, columns.session)
        for name, values in fields.items():
            values[rows, column] = getattr(columns, name)
    return Panel(symbols=tuple(bars), sessions=sessions, **fields)


def closes_of(panel: Panel) -> list[tuple[date, datetime]]:
    """Return the newest sessions of the panel with their closing instants in New York, including early closes."""
    days = panel.sessions[-CHECKED_CLOSES:].astype(object).tolist()
    return [(day, close_instant(MIC, day)) for day in days if is_session(MIC, day)]


def session_news(articles: Sequence[Article], session: date) -> tuple[float, ...]:
    """Return the sentiment of the session's articles, the number counted, and the number dated to the session."""
    dated = [article for article in articles if session_for_publication(MIC, article.published_at) == session]
    opinions = [ScoredArticle(article.score, 1.0, article.published_at, "news") for article in dated]
    sentiment = aggregate(opinions, at=close_instant(MIC, session))
    return (sentiment.score or 0.0, float(sentiment.count), float(len(dated)))
