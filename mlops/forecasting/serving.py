"""Inference: forecasts of every symbol and horizon of a panel in one batch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import isfinite
from typing import Any

import numpy as np

from mlops.forecasting.abstention import (
    MOST_SESSIONS_BEHIND,
    ForecastContext,
    expiry_reason,
    has_expired,
    reasons_to_abstain,
)
from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, HIGH, UP, VOLATILITY_RISES, Bundle
from mlops.forecasting.columns import Columns
from mlops.forecasting.drivers import Driver, top_drivers
from mlops.forecasting.ensemble import standard_scores
from mlops.forecasting.features.news import features_of
from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.models.catalog import XGBOOST, tree_contributions
from mlops.forecasting.models.samples import STEPS, Samples, samples_of_blocks
from mlops.forecasting.signals import Signal, SignalInputs, decide
from mlops.forecasting.types import HORIZONS, FloatArray, Panel

ISSUED, ABSTAINED = "issued", "abstained"
CLOSE, SESSIONS_BEHIND = -2, -1
NEWEST_SESSIONS = STEPS + MOST_SESSIONS_BEHIND


@dataclass(frozen=True, slots=True)
class InstrumentForecast:
    """Forecast of one symbol and horizon; an abstention has reasons and no numbers.

    intervals: lower and upper price by level in percent; inputs: shape (20, k + 2), all inputs of the forecast, shared
    by the horizons of a symbol.
    """

    symbol: str
    horizon_sessions: int
    status: str
    reasons: tuple[str, ...] = ()
    last_price: float | None = None
    predicted_price: float | None = None
    probability_up: float | None = None
    base_rate_up: float | None = None
    probability_beats_median: float | None = None
    signal: str = ""
    signal_meaning: str = ""
    signal_reason: str = ""
    confidence: float | None = None
    intervals: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    volatility_rises: float | None = None
    big_move: float | None = None
    risk_level: str = ""
    drivers: tuple[Driver, ...] = ()
    inputs: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Estimates(Columns):
    """Model outputs of a batch: probabilities and log returns, shape (n, h); interval widths, shape (n, h, 2, 3)."""

    up: FloatArray
    rise_edge: FloatArray
    beats_median: FloatArray
    volatility_rises: FloatArray
    big_move: FloatArray
    log_return: FloatArray
    widths: FloatArray


def forecast_panel(bundle: Bundle, panel: Panel, *, origin: date) -> list[InstrumentForecast]:
    """Forecast every symbol and horizon from the close of `origin`, ordered by symbol column, then horizon.

    Later sessions are not read. An instrument whose latest bar is up to five sessions older is forecast from that bar,
    with wider intervals. Raises ValueError when the panel has no session `origin`.
    """
    known = panel.through(origin)
    known.row_of(origin)
    blocks, contexts = _blocks(known, bundle.feature_set)
    expired = [expiry_reason(bundle.trained_through)] if has_expired(bundle.trained_through, origin) else []
    reasons = [
        expired or reasons_to_abstain(context, block[-1, :CLOSE], bundle.inputs)
        for block, context in zip(blocks, contexts, strict=True)
    ]
    speaking = [column for column, why in enumerate(reasons) if not why]
    issued = iter(forecast_blocks(bundle, blocks[speaking], tuple(panel.symbols[column] for column in speaking)))
    forecasts: list[InstrumentForecast] = []
    for symbol, why in zip(panel.symbols, reasons, strict=True):
        forecasts.extend(_abstentions(symbol, why) if why else (next(issued) for _ in HORIZONS))
    return forecasts


def forecast_blocks(bundle: Bundle, blocks: FloatArray, symbols: tuple[str, ...]) -> list[InstrumentForecast]:
    """Forecast from stored inputs, four forecasts per block in the order of HORIZONS.

    blocks: shape (n, 20, k + 2): direction features, volatility features, close, sessions behind; one per symbol.
    """
    if not len(blocks):
        return []
    split = len(bundle.direction_names)
    direction = samples_of_blocks(blocks[:, :, :split])
    volatility = samples_of_blocks(blocks[:, :, split:CLOSE])
    estimates = estimate(bundle, direction, volatility, symbols)
    staleness = np.sqrt(1 + blocks[:, -1, SESSIONS_BEHIND, None] / np.array(HORIZONS))
    close = blocks[:, -1, CLOSE]
    risk_levels = [level for levels in bundle.risk.levels(estimates.big_move) for level in levels]
    signals = _signals(bundle, estimates, risk_levels)
    columns = {
        "symbol": [symbol for symbol in symbols for _ in HORIZONS],
        "horizon_sessions": HORIZONS * len(symbols),
        "last_price": np.repeat(close, len(HORIZONS)).tolist(),
        **_numbers(bundle, estimates),
        **_intervals(_prices(close, estimates, staleness).reshape(-1, 1 + 2 * len(LEVELS))),
        "signal": [signal.name for signal in signals],
        "signal_meaning": [signal.meaning for signal in signals],
        "signal_reason": [signal.reason for signal in signals],
        "risk_level": risk_levels,
        "drivers": _drivers(bundle, direction),
        # All horizons of a symbol share one array, so that it is stored once.
        "inputs": [block for block in blocks for _ in HORIZONS],
    }
    return [
        InstrumentForecast(status=ISSUED, **dict(zip(columns, values, strict=True)))
        for values in zip(*columns.values(), strict=True)
    ]


def estimate(bundle: Bundle, direction: Samples, volatility: Samples, symbols: tuple[str, ...]) -> Estimates:
    """Compute the outputs of a batch, one symbol per sample. The expected return follows from P(up)."""
    rise = bundle.heads[UP].outputs(direction)
    relative = bundle.heads.get(BEATS_MEDIAN)
    sigma = bundle.volatility.sigma(volatility.latest())
    return Estimates(
        up=rise.probability,
        rise_edge=rise.edge,
        beats_median=relative.probabilities(direction) if relative else np.full_like(rise.edge, np.nan),
        volatility_rises=bundle.heads[VOLATILITY_RISES].probabilities(volatility),
        big_move=bundle.heads[BIG_MOVE].probabilities(volatility),
        log_return=sigma * standard_scores(rise.probability),
        widths=bundle.widths(sigma, volatility, symbols),
    )


def _drivers(bundle: Bundle, direction: Samples) -> list[tuple[Driver, ...]]:
    """Return the drivers of each symbol and horizon."""
    head = bundle.heads[UP]
    subset, share = head.feature_subsets[XGBOOST], head.weights / len(head.members)
    contributions = tree_contributions(head.members[XGBOOST], direction.seeing(subset)) * share[None, :, None]
    names = tuple(bundle.direction_names[place] for place in subset.tolist())
    return top_drivers(names, contributions.reshape(-1, len(names)))


def _numbers(bundle: Bundle, estimates: Estimates) -> dict[str, list[Any]]:
    """Return the probabilities by field name for each symbol and horizon; None where undefined."""
    up = estimates.up.ravel()
    return {
        "probability_up": up.tolist(),
        "base_rate_up": bundle.heads[UP].base_rates.tolist() * len(estimates.up),
        "probability_beats_median": _known(estimates.beats_median),
        "confidence": np.maximum(up, 1 - up).tolist(),
        "volatility_rises": _known(estimates.volatility_rises),
        "big_move": _known(estimates.big_move),
    }


def _blocks(known: Panel, feature_set: str) -> tuple[FloatArray, list[ForecastContext]]:
    """Return the inputs of the 20 sessions up to each symbol's latest bar, shape (m, 20, k + 2), and its context.

    The block of a symbol that is too far behind is undefined.
    """
    cube = features_of(known, feature_set, newest=NEWEST_SESSIONS)
    present = np.isfinite(known.close)
    last_row = len(known.sessions) - 1
    newest = np.where(present.any(axis=0), last_row - present[::-1].argmax(axis=0), last_row)
    first_row = len(known.sessions) - len(cube.direction)
    inputs = np.concatenate([cube.direction, cube.volatility, known.close[first_row:, :, None]], axis=2)
    rows = newest[:, None] - first_row - np.arange(STEPS - 1, -1, -1)
    blocks = inputs[np.maximum(rows, 0), np.arange(len(known.symbols))[:, None]]
    behind = np.broadcast_to((last_row - newest)[:, None, None], (*blocks.shape[:2], 1))
    contexts = [
        ForecastContext(sessions_behind=last_row - row, bars=bars)
        for row, bars in zip(newest.tolist(), present.sum(axis=0).tolist(), strict=True)
    ]
    return np.concatenate([blocks, behind], axis=2), contexts


def _prices(close: FloatArray, estimates: Estimates, staleness: FloatArray) -> FloatArray:
    """Return expected price, then lower and upper bounds by level, shape (n, h, 1 + 2 * levels)."""
    centre = estimates.log_return[:, :, None]
    widths = estimates.widths * staleness[:, :, None, None]
    prices: FloatArray = close[:, None, None] * np.exp(
        np.concatenate([centre, centre - widths[:, :, 0], centre + widths[:, :, 1]], axis=2)
    )
    return prices


def _intervals(prices: FloatArray) -> dict[str, list[Any]]:
    """Return expected prices and intervals by field name, from rows of _prices."""
    bounds = [prices[:, first :: len(LEVELS)][:, :2].tolist() for first in range(1, 1 + len(LEVELS))]
    return {
        "predicted_price": prices[:, 0].tolist(),
        "intervals": [dict(zip(LEVELS, map(tuple, row), strict=True)) for row in zip(*bounds, strict=True)],
    }


def _signals(bundle: Bundle, estimates: Estimates, risk_levels: Sequence[str]) -> list[Signal]:
    """Return the signal of each symbol and horizon."""
    relative = bundle.heads.get(BEATS_MEDIAN)
    rises = estimates.rise_edge.ravel().tolist()
    lags = _known(relative.base_rates - estimates.beats_median) if relative else [None] * len(rises)
    horizons = HORIZONS * len(estimates.up)
    return [
        decide(SignalInputs(rise_edge=rise, lag_edge=lag, risk_is_high=level == HIGH), bundle.rules, horizon)
        for rise, lag, level, horizon in zip(rises, lags, risk_levels, horizons, strict=True)
    ]


def _known(values: FloatArray) -> list[float | None]:
    """Flatten to a list with None for NaN."""
    return [value if isfinite(value) else None for value in values.ravel().tolist()]


def _abstentions(symbol: str, reasons: Iterable[str]) -> list[InstrumentForecast]:
    why = tuple(reasons)
    return [InstrumentForecast(symbol=symbol, horizon_sessions=h, status=ABSTAINED, reasons=why) for h in HORIZONS]
