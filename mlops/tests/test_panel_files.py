"""Tests of panels from files: long and wide format, vendors' column names, and rejected rows."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops.errors import PanelFileUnusable
from mlops.panel_files import add_news, read_panel

DAYS = pd.bdate_range("2020-01-06", periods=8, name="Date")
CLOSES = pd.DataFrame(
    {"BBB": np.arange(20.0, 28.0), "AAA": [10, 10, 10, 10, 10, 10, 10, 11.5], "CCC": [np.nan] * 3 + [5, 6, 5, 6, 7.0]},
    index=DAYS,
)


def long_table() -> pd.DataFrame:
    """The closes as bars that reach 1 either side, a row a symbol and day, no row without a close."""
    closes = CLOSES.melt(ignore_index=False, var_name="symbol", value_name="close").dropna().reset_index()
    table = closes.rename(columns={"Date": "date"})
    # No two bars have the same four prices, which would look like a source that repeats itself.
    table["open"], table["high"], table["low"] = table.close, table.close + 1, table.close - 1 - 0.01 * table.index
    table["volume"] = 1000 + np.arange(len(table))
    return table


def stored(table: pd.DataFrame, folder: Path, name: str, *, index: bool = False) -> Path:
    path = folder / name
    if name.endswith(".csv"):
        table.to_csv(path, index=index)
    else:
        table.to_parquet(path, index=index)
    return path


@pytest.mark.parametrize("name", ["closes.csv", "closes.parquet"])
def test_a_wide_table_of_closes(tmp_path: Path, name: str) -> None:
    read = read_panel(stored(CLOSES, tmp_path, name, index=True))
    assert read.panel.symbols == ("BBB", "AAA", "CCC")
    assert read.panel.sessions.tolist() == [day.date() for day in DAYS]
    for prices in (read.panel.open, read.panel.high, read.panel.low, read.panel.close, read.panel.adjusted_close):
        np.testing.assert_array_equal(prices, CLOSES.to_numpy())
    # A close that comes again is none of the defects, and an empty cell is no bar.
    assert read.bars == 8 + 8 + 5
    assert read.refused == {}


@pytest.mark.parametrize("name", ["bars.csv", "bars.parquet"])
@pytest.mark.parametrize("spelling", [str.lower, str.title, str.upper])
def test_a_long_table_in_any_order_of_rows(tmp_path: Path, name: str, spelling: object) -> None:
    assert callable(spelling)
    table = long_table().rename(columns={"symbol": "name"}).rename(columns=spelling).iloc[::-1]
    read = read_panel(stored(table, tmp_path, name))
    assert read.panel.symbols == ("CCC", "AAA", "BBB")
    np.testing.assert_array_equal(read.panel.close, CLOSES[["CCC", "AAA", "BBB"]].to_numpy())
    np.testing.assert_array_equal(read.panel.high, CLOSES[["CCC", "AAA", "BBB"]].to_numpy() + 1)
    assert read.panel.volume[0, 2] == 1000
    assert read.refused == {}


def test_bars_that_break_a_rule_are_left_out_and_counted(tmp_path: Path) -> None:
    table = long_table()
    table.loc[1, "high"] = 3.0
    table.loc[2, "open"] = np.nan
    table.loc[20, "close"] = -7.0
    doubled = pd.concat([table, table.iloc[[0]].assign(volume=1)])
    read = read_panel(stored(doubled, tmp_path, "bars.csv"))
    assert read.refused["high_below_low"] == 1
    assert read.refused["missing_value"] == 1
    assert read.refused["price_not_positive"] == 1
    # It is unknown which of the two bars of the first day is right.
    assert read.refused["duplicate_session"] == 2
    np.testing.assert_array_equal(np.isnan(read.panel.close[:, 0]), [True] * 3 + [False] * 5)


def test_closes_that_never_move_are_left_out(tmp_path: Path) -> None:
    read = read_panel(stored(CLOSES.assign(AAA=10.0), tmp_path, "closes.csv", index=True))
    assert read.panel.symbols == ("BBB", "CCC")
    assert read.refused == {"flat_line": 8}
    with pytest.raises(PanelFileUnusable, match="it has no valid bar"):
        read_panel(stored(CLOSES[[]].assign(AAA=10.0), tmp_path, "flat.csv", index=True))


def test_weekly_bars_are_no_daily_ones(tmp_path: Path) -> None:
    weekly = CLOSES.set_index(pd.date_range("2020-01-03", periods=8, freq="W-FRI", name="Date"))
    with pytest.raises(PanelFileUnusable, match="its bars are not daily: the median step is 7 days"):
        read_panel(stored(weekly, tmp_path, "closes.csv", index=True))


def test_other_column_separators_are_named(tmp_path: Path) -> None:
    path = tmp_path / "closes.csv"
    CLOSES.to_csv(path, sep=";")
    with pytest.raises(PanelFileUnusable, match="its header has one column, 'Date;BBB;AAA;CCC'; separate columns"):
        read_panel(path)


def test_a_symbol_may_equal_a_column_name(tmp_path: Path) -> None:
    closes = CLOSES.rename_axis(index=None).rename(columns={"BBB": "DAY", "AAA": "LOW", "CCC": "OPEN"})
    read = read_panel(stored(closes, tmp_path, "closes.csv", index=True))
    assert read.panel.symbols == ("DAY", "LOW", "OPEN")
    np.testing.assert_array_equal(read.panel.close, CLOSES.to_numpy())


def test_bars_without_closes_are_no_table_of_stocks(tmp_path: Path) -> None:
    bars = long_table().query("symbol == 'BBB'").drop(columns="symbol").rename(columns={"close": "price"})
    with pytest.raises(PanelFileUnusable, match="missing columns: close; found: date, price, open, high, low, volume"):
        read_panel(stored(bars, tmp_path, "bars.csv"))


def test_prices_are_put_on_the_basis_of_adjusted_closes(tmp_path: Path) -> None:
    table = long_table()
    table["Adj Close"] = table.close / 2
    panel = read_panel(stored(table, tmp_path, "bars.parquet")).panel
    np.testing.assert_allclose(panel.close[:, 0], CLOSES["BBB"] / 2)
    np.testing.assert_allclose(panel.high[:, 0], (CLOSES["BBB"] + 1) / 2)


def test_one_stock_without_a_symbol_column(tmp_path: Path) -> None:
    table = long_table().query("symbol == 'BBB'").drop(columns="symbol")
    panel = read_panel(stored(table, tmp_path, "NVDA.csv")).panel
    assert panel.symbols == ("NVDA",)
    np.testing.assert_array_equal(panel.close[:, 0], CLOSES["BBB"])


@pytest.mark.parametrize("written", ["%Y-%m-%d 00:00:00-05:00", "%Y%m%d", "%m/%d/%Y", "%Y/%m/%d", "%Y-%m-%dT16:00:00Z"])
def test_dates_as_vendors_write_them(tmp_path: Path, written: str) -> None:
    table = long_table()
    table["date"] = table["date"].dt.strftime(written)
    assert read_panel(stored(table, tmp_path, "bars.csv")).panel.sessions[0].astype(object) == date(2020, 1, 6)


def test_ambiguous_symbols_are_distinguished(tmp_path: Path) -> None:
    table = long_table()
    table["symbol"] = table["symbol"].map({"AAA": "0700", "BBB": "NA", "CCC": "TRUE"})
    assert read_panel(stored(table, tmp_path, "bars.csv")).panel.symbols == ("NA", "0700", "TRUE")


def test_a_day_with_few_bars_is_no_session(tmp_path: Path) -> None:
    table = long_table()
    stray = table.iloc[[7]].assign(date=pd.Timestamp("2020-01-11"))
    read = read_panel(stored(pd.concat([table, stray]), tmp_path, "bars.csv"))
    assert len(read.panel.sessions) == 8
    assert read.refused["stray_session"] == 1


def test_lines_that_are_no_rows_are_counted(tmp_path: Path) -> None:
    path = stored(long_table(), tmp_path, "bars.csv")
    path.write_text(path.read_text() + "2020-02-03,AAA\n2020-02-03,,1,1,1,1,1\nsoon,AAA,1,1,1,1,1\n")
    read = read_panel(path)
    assert read.refused["malformed_line"] == 1
    assert read.refused["no_symbol"] == 1
    assert read.refused["no_date"] == 1
    assert read.panel.close.shape == (8, 3)


def test_sessions_long_before_any_calendar(tmp_path: Path) -> None:
    table = CLOSES.set_index(pd.bdate_range("1950-01-02", periods=8, name="Date").astype("datetime64[s]"))
    assert read_panel(stored(table, tmp_path, "old.csv", index=True)).panel.close.shape == (8, 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("a,b\n", "it has a header but no rows"),
        ("symbol,date,price\nA,2020-01-02,3\n", "missing columns: close"),
        ("symbol,open,close\nA,3,3\n", "missing columns: date"),
        ("symbol,date,close\nA,soon,3\nA,later,3\n", "has no dates such as"),
        ("colour,shape\nred,round\n", "has no dates such as"),
        ("date,AAA\n2020-01-02,red\n", "no valid bar"),
        ("symbol,date,close\nA,2020-01-02,-3\n", "no valid bar"),
        ("date,AAA,AAA\n2020-01-02,1,2\n", "its header repeats AAA"),
        ("PAR1 and nothing else", "it starts like Parquet"),
    ],
)
def test_files_without_a_panel_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(text)
    with pytest.raises(PanelFileUnusable, match=reason):
        read_panel(path)


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PanelFileUnusable, match="No such file"):
        read_panel(tmp_path / "none.csv")
    with pytest.raises(PanelFileUnusable, match="directory"):
        read_panel(tmp_path)
    (tmp_path / "latin.csv").write_bytes("symbol,date,close\n\xdc,2020-01-02,3\n".encode("latin-1"))
    with pytest.raises(PanelFileUnusable, match="neither Parquet nor CSV"):
        read_panel(tmp_path / "latin.csv")


def scores(**changes: object) -> pd.DataFrame:
    """Three sessions of news about two symbols."""
    rows = {
        "Ticker": ["BBB", "BBB", "AAA"],
        "date": ["2020-01-06", "2020-01-08", "2020-01-08"],
        "Score": [0.5, -0.25, 1.0],
        "articles": [3, 1, 2],
    }
    return pd.DataFrame(rows | changes)


def test_news_are_at_their_symbol_and_session(tmp_path: Path) -> None:
    panel = read_panel(stored(CLOSES, tmp_path, "closes.csv", index=True)).panel
    news = add_news(panel, stored(scores(), tmp_path, "news.csv"))
    assert news.left_out == {}
    assert news.panel.news_score is not None
    assert news.panel.news_count is not None
    assert news.panel.news_score[[0, 2, 2], [0, 0, 1]].tolist() == [0.5, -0.25, 1.0]
    assert np.isfinite(news.panel.news_score).sum() == 3
    assert news.panel.news_count[[0, 2, 2], [0, 0, 1]].tolist() == [3, 1, 2]
    assert news.panel.news_count.sum() == 6


def test_unmatched_news_are_counted(tmp_path: Path) -> None:
    panel = read_panel(stored(CLOSES, tmp_path, "closes.csv", index=True)).panel
    odd = pd.DataFrame(
        {
            "Ticker": ["ZZZ", "BBB", "BBB", "BBB", "AAA"],
            "date": ["2020-01-06", "2020-01-11", "2020-01-07", "2020-01-06", "2020-01-09"],
            "Score": [0.5, 0.5, 1.5, -1.0, 0.5],
            "articles": [1, 1, 1, 1, 0],
        }
    )
    news = add_news(panel, stored(pd.concat([scores(), odd]), tmp_path, "news.parquet"))
    assert news.rows == 8
    assert news.left_out == {
        "unknown_symbol": 1,
        "not_a_session": 1,
        "score_out_of_bounds": 1,
        "bad_count": 1,
        "duplicate_session": 1,
    }
    assert news.panel.news_score is not None
    # Of two rows about one symbol and session the first counts.
    assert news.panel.news_score[0, 0] == 0.5


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (scores().drop(columns="Score"), "missing columns: score"),
        (scores(Ticker=["X", "Y", "Z"]), "no score matches a symbol and session"),
        (scores(Score=["good", "bad", ""]), "no score matches a symbol and session"),
    ],
)
def test_files_without_news_are_refused(tmp_path: Path, table: pd.DataFrame, reason: str) -> None:
    panel = read_panel(stored(CLOSES, tmp_path, "closes.csv", index=True)).panel
    with pytest.raises(PanelFileUnusable, match=reason):
        add_news(panel, stored(table, tmp_path, "news.csv"))
