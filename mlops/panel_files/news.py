"""Reader of sentiment scores from a file with one row per symbol and session."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlops.errors import PanelFileUnusable
from mlops.forecasting.types import Panel
from mlops.panel_files.tables import read_table

REQUIRED = ("symbol", "date", "score")


@dataclass(frozen=True, slots=True)
class NewsFile:
    """The panel with news, the number of rows read, and the number of rows left out by reason."""

    panel: Panel
    rows: int
    left_out: Mapping[str, int]


def add_news(panel: Panel, path: Path) -> NewsFile:
    """Add the scores and counts of a CSV or Parquet file to the panel: symbol, date, score in [-1, 1], articles.

    The date is the session at whose close the articles were known. Without a count a score means one article. Only the
    first row of a symbol and session counts. Raises PanelFileUnusable, also if no score matches the panel.
    """
    table = read_table(path)
    names = {meaning: table.column(meaning) for meaning in (*REQUIRED, "articles")}
    missing = [meaning for meaning in REQUIRED if names[meaning] is None]
    if missing:
        raise PanelFileUnusable(path.name, f"missing columns: {', '.join(missing)}")
    symbols, days = table.texts(str(names["symbol"])), table.days(str(names["date"]))
    scores = table.numbers(str(names["score"]))
    counts = table.numbers(names["articles"]) if names["articles"] else np.isfinite(scores).astype(np.float64)
    column_of = {symbol: column for column, symbol in enumerate(panel.symbols)}
    columns = np.array([column_of.get(symbol, -1) for symbol in symbols.tolist()], dtype=np.intp)
    rows = np.searchsorted(panel.sessions, days).clip(max=len(panel.sessions) - 1)
    sessions_with_news = np.isfinite(scores)
    problems = {
        "no_date": np.isnat(days),
        "unknown_symbol": columns < 0,
        "not_a_session": panel.sessions[rows] != days,
        "score_out_of_bounds": sessions_with_news & (np.abs(np.where(sessions_with_news, scores, 0.0)) > 1),
        "bad_count": ~(counts >= 0) | (sessions_with_news & (counts < 1)),
    }
    good = ~np.logical_or.reduce(list(problems.values()))
    left_out = Counter({name: int(found.sum()) for name, found in problems.items() if found.any()})
    _, first = np.unique(rows[good] * len(panel.symbols) + columns[good], return_index=True)
    valid = np.flatnonzero(good)[first]
    if len(valid) < good.sum():
        left_out["duplicate_session"] = int(good.sum()) - len(valid)
    if not sessions_with_news[valid].any():
        raise PanelFileUnusable(path.name, "no score matches a symbol and session of the bars")
    score, count = np.full(panel.close.shape, np.nan), np.zeros(panel.close.shape)
    score[rows[valid], columns[valid]] = scores[valid]
    count[rows[valid], columns[valid]] = np.where(sessions_with_news[valid], counts[valid], 0.0)
    return NewsFile(replace(panel, news_score=score, news_count=count), len(scores), dict(left_out.most_common()))
