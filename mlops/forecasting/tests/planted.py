"""Leaks as they are made by mistake, one function each, for the gate to find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np

from mlops.forecasting.leaks import Article, FeatureTable
from mlops.forecasting.leaks.feature_functions import FeatureFunction
from mlops.forecasting.leaks.fit_checks import Rows
from mlops.forecasting.types import FloatArray, Panel

HORIZON = 5
WINDOW = 5
CHEAP = 50.0


def table(name: str, values: FloatArray) -> FeatureTable:
    return FeatureTable((name,), values[:, :, None])


def returns_of(panel: Panel) -> FloatArray:
    """log(close[t] / close[t - 1])."""
    log_close = np.log(panel.close)
    return np.vstack([np.full((1, log_close.shape[1]), np.nan), np.diff(log_close, axis=0)])


def label_of(panel: Panel, horizon: int = HORIZON) -> FloatArray:
    """1 where the close rises over the horizon, 0 where not, NaN where that is not known."""
    later = np.full_like(panel.close, np.nan)
    later[:-horizon] = panel.close[horizon:]
    return np.where(np.isfinite(later) & np.isfinite(panel.close), (later > panel.close).astype(float), np.nan)


def week_of(panel: Panel) -> FloatArray:
    """The honest feature: the log return over five sessions."""
    log_close = np.log(panel.close)
    week = np.full_like(log_close, np.nan)
    week[WINDOW:] = log_close[WINDOW:] - log_close[:-WINDOW]
    return week


def honest(panel: Panel) -> FeatureTable:
    return table("week", week_of(panel))


def centred_mean(panel: Panel) -> FeatureTable:
    windows = np.lib.stride_tricks.sliding_window_view(returns_of(panel), WINDOW, axis=0)
    centred = np.full_like(panel.close, np.nan)
    centred[WINDOW // 2 : -(WINDOW // 2)] = windows.mean(axis=-1)
    return table("centred", centred)


def full_sample_z_score(panel: Panel) -> FeatureTable:
    week = week_of(panel)
    return table("z", (week - np.nanmean(week, axis=0)) / np.nanstd(week, axis=0))


def full_sample_min_max(panel: Panel) -> FeatureTable:
    low, high = np.nanmin(panel.close, axis=0), np.nanmax(panel.close, axis=0)
    return table("scaled", (panel.close - low) / (high - low))


def label_in_features(panel: Panel) -> FeatureTable:
    return table("label", label_of(panel))


def tomorrows_open(panel: Panel) -> FeatureTable:
    gap = np.full_like(panel.close, np.nan)
    gap[:-1] = panel.open[1:] / panel.close[:-1] - 1
    return table("gap", gap)


def back_filled_gaps(panel: Panel) -> FeatureTable:
    close = panel.close.copy()
    for row in range(len(close) - 2, -1, -1):
        close[row] = np.where(np.isnan(close[row]), close[row + 1], close[row])
    return table("week", week_of(Panel(panel.symbols, panel.sessions, *(close,) * 6)))


def interpolated_gaps(panel: Panel) -> FeatureTable:
    close = panel.close.copy()
    rows = np.arange(len(close))
    for column in close.T:
        known = np.isfinite(column)
        column[:] = np.interp(rows, rows[known], column[known])
    return table("week", week_of(Panel(panel.symbols, panel.sessions, *(close,) * 6)))


def target_encoding(panel: Panel) -> FeatureTable:
    rates = np.nanmean(label_of(panel), axis=0)
    return table("encoded", np.where(np.isfinite(panel.close), rates, np.nan))


def whole_sample_quantiles(panel: Panel) -> FeatureTable:
    week = week_of(panel)
    limits = np.nanquantile(week, [0.2, 0.4, 0.6, 0.8])
    return table("bucket", np.where(np.isnan(week), np.nan, np.digitize(week, limits).astype(float)))


def future_volume_rank(panel: Panel) -> FeatureTable:
    later = np.full_like(panel.volume, np.nan)
    later[:-1] = panel.volume[1:]
    return table("rank", later.argsort(axis=1).argsort(axis=1).astype(float))


def adjusted_level(panel: Panel) -> FeatureTable:
    return table("distance", np.log(panel.close / panel.adjusted_close))


def split_adjusted_level(panel: Panel) -> FeatureTable:
    return table("cheap", np.where(np.isfinite(panel.close), (panel.close < CHEAP).astype(float), np.nan))


def reversed_average(panel: Panel) -> FeatureTable:
    average = week_of(panel)
    for row in range(len(average) - 2, -1, -1):
        average[row] = np.where(np.isnan(average[row]), np.nan, 0.9 * average[row] + 0.1 * average[row + 1])
    return table("smooth", average)


def share_of_history(panel: Panel) -> FeatureTable:
    """Causal, and another number for every session once the history begins elsewhere."""
    return table("since", np.log(panel.close / panel.close[0]))


def looked_up(original: Panel) -> FeatureFunction:
    """The label, computed once and looked up ever after: another future does not change it."""
    known = dict(zip(original.sessions.tolist(), label_of(original), strict=True))
    symbols = original.symbols

    def make(panel: Panel) -> FeatureTable:
        rows = [
            known[session][[symbols.index(symbol) for symbol in panel.symbols]] for session in panel.sessions.tolist()
        ]
        return table("precomputed", np.where(np.isfinite(panel.close), np.array(rows), np.nan))

    return make


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """A model small enough to be read: scaled week and its weight on the label."""

    centre: FloatArray
    scale: FloatArray
    weight: FloatArray

    def statistics(self) -> Mapping[str, FloatArray]:
        return {"centre": self.centre, "scale": self.scale, "weight": self.weight}

    def forecasts(self, panel: Panel, origin: date) -> FeatureTable:
        row = panel.row_of(origin)
        predicted = (week_of(panel)[row] - self.centre) / self.scale * self.weight
        return FeatureTable(("week ahead",), predicted[None, :, None])


def least_squares(
    panel: Panel, through: date, *, scaled_on: Panel | None = None, labels: Panel | None = None
) -> LeastSquares:
    """Fitted on the sessions up to `through`; scales and labels may come from another panel."""
    known = panel.through(through)
    week, scaling = week_of(known), week_of(known if scaled_on is None else scaled_on)
    label = label_of(known if labels is None else labels)[: len(week)]
    centre, scale = np.nanmean(scaling), np.nanstd(scaling)
    return LeastSquares(
        np.array(centre), np.array(scale), np.array(np.nanmean((week - centre) / scale * (label - 0.5)))
    )


def honest_fit(panel: Panel, through: date) -> LeastSquares:
    return least_squares(panel, through)


def scaler_on_everything(panel: Panel, through: date) -> LeastSquares:
    return least_squares(panel, through, scaled_on=panel)


def labels_beyond_training(panel: Panel, through: date) -> LeastSquares:
    return least_squares(panel, through, labels=panel)


@dataclass(frozen=True, slots=True)
class Peeking(LeastSquares):
    """Scales its inputs by all sessions it receives, later ones included."""

    def forecasts(self, panel: Panel, origin: date) -> FeatureTable:
        week = week_of(panel)
        predicted = (week[panel.row_of(origin)] - np.nanmean(week)) / np.nanstd(week) * self.weight
        return FeatureTable(("week ahead",), predicted[None, :, None])


def peeking_fit(panel: Panel, through: date) -> LeastSquares:
    fitted = least_squares(panel, through)
    return Peeking(fitted.centre, fitted.scale, fitted.weight)


def replay(panel: Panel, *, purged: bool = True, shuffled: bool = False) -> FeatureTable:
    """The second half in four periods, each by a rate estimated before it: of its labels, or the given one."""
    label = label_of(panel)
    rows = len(label)
    bounds = np.linspace(rows // 2, rows, 5).astype(int)
    order = np.random.default_rng(0).permutation(rows)
    predicted = np.full_like(panel.close, np.nan)
    for first, end in pairwise(bounds):
        taught = order[: rows // 2] if shuffled else np.arange(first - HORIZON if purged else first)
        predicted[first:end] = np.nanmean(label[taught])
    return table("rate", predicted)


def purged_replay(panel: Panel) -> FeatureTable:
    return replay(panel)


def unpurged_replay(panel: Panel) -> FeatureTable:
    return replay(panel, purged=False)


def shuffled_replay(panel: Panel) -> FeatureTable:
    return replay(panel, shuffled=True)


def shuffled_split(rows: Rows, horizon: int) -> Sequence[tuple[Rows, Rows]]:
    order = np.random.default_rng(0).permutation(len(rows))
    return [(order[: len(rows) // 2], order[len(rows) // 2 :])]


def unpurged_split(rows: Rows, horizon: int) -> Sequence[tuple[Rows, Rows]]:
    middle = int(np.median(rows))
    return [(np.flatnonzero(rows < middle), np.flatnonzero(rows >= middle))]


def weekday_news(articles: Sequence[Article], session: date) -> tuple[float, ...]:
    """Every weekday is a session that closes at 21:00 UTC; later news belongs to the next."""
    counted = [
        a.score for a in articles if _utc(a) < datetime(session.year, session.month, session.day, 21, tzinfo=UTC)
    ]
    return (float(len(counted)), sum(counted))


def news_by_date(articles: Sequence[Article], session: date) -> tuple[float, ...]:
    counted = [a.score for a in articles if _utc(a).date() <= session]
    return (float(len(counted)), sum(counted))


def news_one_day_early(articles: Sequence[Article], session: date) -> tuple[float, ...]:
    return weekday_news([Article(a.published_at - timedelta(days=1), a.score) for a in articles], session)


def news_by_local_clock(articles: Sequence[Article], session: date) -> tuple[float, ...]:
    """Forgets that an instant has a time zone."""
    close = datetime(session.year, session.month, session.day, 21, tzinfo=UTC)
    counted = [a.score for a in articles if a.published_at.replace(tzinfo=UTC) < close]
    return (float(len(counted)), sum(counted))


def _utc(article: Article) -> datetime:
    return article.published_at.astimezone(UTC)
