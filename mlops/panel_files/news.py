"""What was written about the stocks of a panel, from a file with a row a symbol and session."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlops.errors import PanelFileUnusable
from mlops.forecasting.types import Panel
from mlops.panel_files.tables import read_table

NEEDED = ("symbol", "date", "score")


@dataclass(frozen=True, slots=True)
class NewsFile:
    """The panel with what was written, the rows that were read, and how many were left out for what reason."""

    panel: Panel
    rows: int
    left_out: Mapping[str, int]


def with_news(panel: Panel, path: Path) -> NewsFile:
    """The panel with the scores and counts of a CSV or Parquet file: symbol, date, score in [-1, 1], articles.

    A date is the session at whose close the articles could be known. Without a count a score stands for one article. Of
    two rows about one symbol and session the first counts. Raises PanelFileUnusable, also when no row fits the panel.
    """
    table = read_table(path)
    names = {meaning: table.column(meaning) for meaning in (*NEEDED, "articles")}
    missing = [meaning for meaning in NEEDED if names[meaning] is None]
    if missing:
        raise PanelFileUnusable(path.name, f"it has no column {' and no column '.join(missing)}")
    symbols, days = table.texts(str(names["symbol"])), table.days(str(names["date"]))
    scores = table.numbers(str(names["score"]))
    counts = table.numbers(names["articles"]) if names["articles"] else np.isfinite(scores).astype(np.float64)
    column_of = {symbol: column for column, symbol in enumerate(panel.symbols)}
    columns = np.array([column_of.get(symbol, -1) for symbol in symbols.tolist()], dtype=np.intp)
    rows = np.searchsorted(panel.sessions, days).clip(max=len(panel.sessions) - 1)
    sessions_with_news = np.isfinite(scores)
    complaints = {
        "no_date": np.isnat(days),
        "unknown_symbol": columns < 0,
        "not_a_session": panel.sessions[rows] != days,
        "score_out_of_bounds": sessions_with_news & (np.abs(np.where(sessions_with_news, scores, 0.0)) > 1),
        "bad_count": ~(counts >= 0) | (sessions_with_news & (counts < 1)),
    }
    good = ~np.logical_or.reduce(list(complaints.values()))
    left_out = Counter({name: int(found.sum()) for name, found in complaints.items() if found.any()})
    _, first = np.unique(rows[good] * len(panel.symbols) + columns[good], return_index=True)
    valid = np.flatnonzero(good)[first]
    if len(valid) < good.sum():
        left_out["duplicate_session"] = int(good.sum()) - len(valid)
    if not sessions_with_news[valid].any():
        raise PanelFileUnusable(path.name, "it has no score for a symbol and session of the bars")
    score, count = np.full(panel.close.shape, np.nan), np.zeros(panel.close.shape)
    score[rows[valid], columns[valid]] = scores[valid]
    count[rows[valid], columns[valid]] = np.where(sessions_with_news[valid], counts[valid], 0.0)
    return NewsFile(replace(panel, news_score=score, news_count=count), len(scores), dict(left_out.most_common()))
