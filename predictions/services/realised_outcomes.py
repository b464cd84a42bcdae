"""Realised outcomes beyond the price: whether volatility rose and whether a signal was correct."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_

import numpy as np
from django.db.models import Q

from marketdata.bar_arrays import bar_arrays
from marketdata.bar_blocks import BarArray
from marketdata.models import Instrument
from mlops.forecasting.targets import BIG_MOVE
from predictions.models import Forecast

DAY, CLOSE = 0, 4
# Closes have six decimals; what a quotient of floats adds beyond these is no move.
EXACT_DECIMALS = 9
UNIX_EPOCH = date(1970, 1, 1)
Group = tuple[date, int, int, str]


@dataclass(frozen=True, slots=True)
class RealisedOutcomes:
    """Bars by instrument key, and the median return of each group of forecasts with one origin, horizon and version."""

    bars: Mapping[int, BarArray]
    medians: Mapping[Group, float]

    def volatility_rose(self, forecast: Forecast) -> bool | None:
        """Return whether squared returns up to the target sum to more than equally many before the origin.

        None over one session, and where a session between has no bar.
        """
        span = forecast.horizon_sessions
        bars = self.bars.get(forecast.instrument_id)
        if span == 1 or bars is None:
            return None
        start, end = _row(bars, forecast.origin), _row(bars, forecast.target)
        if start is None or end is None or end - start != span or start < span:
            return None
        squares = np.diff(np.log(bars[start - span : end + 1, CLOSE])) ** 2
        return bool(squares[span:].sum() > squares[:span].sum())

    def call_right(self, forecast: Forecast) -> bool | None:
        """Return whether BUY rose, SELL for risk moved over 5%, or SELL for lag stayed below the group's median.

        None without a call, without the bars, and for a lag with nobody to lag behind.
        """
        moved = realised_return(self.bars.get(forecast.instrument_id), forecast.origin, forecast.target)
        if moved is None or forecast.signal not in (Forecast.Signal.BUY, Forecast.Signal.SELL):
            return None
        if forecast.signal == Forecast.Signal.BUY:
            return moved > 0
        if forecast.signal_meaning == "risk":
            return round(abs(moved), EXACT_DECIMALS) > BIG_MOVE
        median = self.medians.get(_group(forecast))
        return None if median is None or moved == median else moved < median


def load_realised_outcomes(forecasts: Sequence[Forecast]) -> RealisedOutcomes:
    """Load the prices that these forecasts are scored with, in at most four queries."""
    lagging = {_group(one) for one in forecasts if one.signal == "SELL" and one.signal_meaning == "lag"}
    universe: dict[Group, list[tuple[int, date]]] = {group: [] for group in lagging}
    if lagging:
        for row in _forecasts_in_groups(lagging):
            universe[row[:4]].append(row[4:])
    keys = {one.instrument_id for one in forecasts} | {key for row in universe.values() for key, _ in row}
    bars = bar_arrays(Instrument.objects.filter(pk__in=keys))
    medians = {group: median for group, rows in universe.items() if (median := _median(group, rows, bars)) is not None}
    return RealisedOutcomes(bars, medians)


def realised_return(bars: BarArray | None, origin: date, target: date) -> float | None:
    """Return the return from origin to target, both closes on today's basis; None without one of them."""
    if bars is None:
        return None
    start, end = _row(bars, origin), _row(bars, target)
    return None if start is None or end is None else float(bars[end, CLOSE] / bars[start, CLOSE] - 1)


def _group(forecast: Forecast) -> Group:
    return forecast.origin, forecast.horizon_sessions, forecast.model_version_id, str(forecast.kind)


def _forecasts_in_groups(groups: set[Group]) -> list[tuple[date, int, int, str, int, date]]:
    names = ("origin", "horizon_sessions", "model_version_id", "kind")
    any_of = reduce(or_, (Q(**dict(zip(names, group, strict=True))) for group in groups))
    issued = Forecast.objects.filter(any_of, status=Forecast.Status.ISSUED)
    return list(issued.values_list(*names, "instrument_id", "target"))


def _median(group: Group, rows: Sequence[tuple[int, date]], bars: Mapping[int, BarArray]) -> float | None:
    moves = [moved for key, target in rows if (moved := realised_return(bars.get(key), group[0], target)) is not None]
    return float(np.median(moves)) if len(moves) > 1 else None


def _row(bars: BarArray, session: date) -> int | None:
    day = (session - UNIX_EPOCH).days
    row = int(np.searchsorted(bars[:, DAY], day))
    return row if row < len(bars) and bars[row, DAY] == day else None
