"""Forecasting with a bundle: every symbol and horizon of a panel in one batch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.abstention import (
    MOST_SESSIONS_BEHIND,
    Standpoint,
    expiry_reason,
    has_expired,
    reasons_to_abstain,
)
from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, HIGH, UP, VOLATILITY_RISES, Bundle, Head
from mlops.forecasting.drivers import Driver, top_drivers
from mlops.forecasting.ensemble import standard_scores
from mlops.forecasting.features.news import features_of
from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.models.catalog import XGBOOST, tree_contributions
from mlops.forecasting.models.samples import STEPS, Samples, samples_of_blocks
from mlops.forecasting.signals import Signal, Standing, decide
from mlops.forecasting.types import HORIZONS, FloatArray, Panel

ISSUED, ABSTAINED = "issued", "abstained"
CLOSE, SESSIONS_BEHIND = -2, -1
LATEST = STEPS + MOST_SESSIONS_BEHIND


@dataclass(frozen=True, slots=True)
class InstrumentForecast:
    """What is said about one symbol and horizon; an abstention has reasons and no numbers.

    intervals: lower and upper price by level in percent; inputs: shape (20, k + 2), everything the numbers were
    computed from, the same array for every horizon of a symbol.
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
class Estimates:
    """All numbers of a batch: probabilities of shape (n, h), half widths of shape (n, h, 3), log returns (n, h)."""

    up: FloatArray
    rise_edge: FloatArray
    beats_median: FloatArray
    volatility_rises: FloatArray
    big_move: FloatArray
    log_return: FloatArray
    widths: FloatArray

    def take(self, chosen: NDArray[np.bool_]) -> "Estimates":
        """The estimates of these places."""
        return Estimates(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})


@dataclass(frozen=True, slots=True)
class _Batch:
    """The instruments that are spoken about, with everything computed for them."""

    bundle: Bundle
    symbols: tuple[str, ...]
    inputs: tuple[FloatArray, ...]
    estimates: Estimates
    prices: FloatArray
    contributions: FloatArray
    risk_levels: list[list[str]]


def forecast_panel(bundle: Bundle, panel: Panel, *, origin: date) -> list[InstrumentForecast]:
    """A forecast for every symbol and horizon from the close of `origin`, ordered by symbol column, then horizon.

    Nothing after `origin` is read. An instrument whose newest bar is up to five sessions older is forecast from that
    bar, with wider intervals. Raises ValueError when the panel has no session `origin`.
    """
    known = panel.through(origin)
    known.row_of(origin)
    blocks, standpoints = _blocks(known, bundle.feature_set)
    expired = [expiry_reason(bundle.trained_through)] if has_expired(bundle.trained_through, origin) else []
    reasons = [
        expired or reasons_to_abstain(standpoint, block[-1, :CLOSE], bundle.inputs)
        for block, standpoint in zip(blocks, standpoints, strict=True)
    ]
    speaking = [column for column, why in enumerate(reasons) if not why]
    issued = iter(forecast_blocks(bundle, blocks[speaking], tuple(panel.symbols[column] for column in speaking)))
    forecasts: list[InstrumentForecast] = []
    for symbol, why in zip(panel.symbols, reasons, strict=True):
        forecasts.extend(_abstentions(symbol, why) if why else (next(issued) for _ in HORIZONS))
    return forecasts


def forecast_blocks(bundle: Bundle, blocks: FloatArray, symbols: tuple[str, ...]) -> list[InstrumentForecast]:
    """The forecasts that follow from stored inputs alone, four for each block in the order of HORIZONS.

    blocks: shape (n, 20, k + 2): direction features, volatility features, close, sessions behind; one per symbol.
    """
    if not len(blocks):
        return []
    split = len(bundle.direction_names)
    direction = samples_of_blocks(blocks[:, :, :split])
    volatility = samples_of_blocks(blocks[:, :, split:CLOSE])
    estimates = estimate(bundle, direction, volatility, symbols)
    late = np.sqrt(1 + blocks[:, -1, SESSIONS_BEHIND, None, None] / np.array(HORIZONS)[None, :, None])
    batch = _Batch(
        bundle=bundle,
        symbols=symbols,
        inputs=tuple(blocks),
        estimates=estimates,
        prices=_prices(blocks[:, -1, CLOSE], estimates, late),
        contributions=_contributions(bundle.heads[UP], direction),
        risk_levels=bundle.risk.levels(estimates.big_move),
    )
    places = range(len(symbols))
    return [_issued(batch, place, position) for place in places for position in range(len(HORIZONS))]


def estimate(bundle: Bundle, direction: Samples, volatility: Samples, symbols: tuple[str, ...]) -> Estimates:
    """Every number of the batch, one symbol a sample. The expected return is the one that P(up) implies."""
    rise = bundle.heads[UP].answers(direction)
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


def _contributions(head: Head, samples: Samples) -> FloatArray:
    """What every feature does, through the trees, to the log odds that are published; shape (n, h, k)."""
    share = head.weights / len(head.members)
    contributions: FloatArray = tree_contributions(head.members[XGBOOST], samples) * share[None, :, None]
    return contributions


def _issued(batch: _Batch, place: int, position: int) -> InstrumentForecast:
    estimates, signal = batch.estimates, _signal(batch, place, position)
    up = float(estimates.up[place, position])
    return InstrumentForecast(
        symbol=batch.symbols[place],
        horizon_sessions=HORIZONS[position],
        status=ISSUED,
        last_price=float(batch.inputs[place][-1, CLOSE]),
        predicted_price=float(batch.prices[place, position, 0]),
        probability_up=up,
        base_rate_up=float(batch.bundle.heads[UP].base_rates[position]),
        probability_beats_median=_known(estimates.beats_median[place, position]),
        signal=signal.name,
        signal_meaning=signal.meaning,
        signal_reason=signal.reason,
        confidence=max(up, 1 - up),
        intervals=_intervals(batch.prices[place, position]),
        volatility_rises=_known(estimates.volatility_rises[place, position]),
        big_move=_known(estimates.big_move[place, position]),
        risk_level=batch.risk_levels[place][position],
        drivers=top_drivers(batch.bundle.direction_names, batch.contributions[place, position]),
        inputs=batch.inputs[place],
    )


def _blocks(known: Panel, feature_set: str) -> tuple[FloatArray, list[Standpoint]]:
    """The last 20 sessions of inputs up to each symbol's newest bar, shape (m, 20, k + 2), and where it stands.

    A symbol that is too far behind to be forecast has a block of no meaning.
    """
    cube = features_of(known, feature_set, newest=LATEST)
    present = np.isfinite(known.close)
    last_row = len(known.sessions) - 1
    newest = np.where(present.any(axis=0), last_row - present[::-1].argmax(axis=0), last_row)
    first_row = len(known.sessions) - len(cube.direction)
    inputs = np.concatenate([cube.direction, cube.volatility, known.close[first_row:, :, None]], axis=2)
    rows = newest[:, None] - first_row - np.arange(STEPS - 1, -1, -1)
    blocks = inputs[np.maximum(rows, 0), np.arange(len(known.symbols))[:, None]]
    behind = np.broadcast_to((last_row - newest)[:, None, None], (*blocks.shape[:2], 1))
    standpoints = [
        Standpoint(sessions_behind=last_row - row, bars=bars)
        for row, bars in zip(newest.tolist(), present.sum(axis=0).tolist(), strict=True)
    ]
    return np.concatenate([blocks, behind], axis=2), standpoints


def _prices(close: FloatArray, estimates: Estimates, late: FloatArray) -> FloatArray:
    """Expected price, then lower and upper bound at every level, shape (n, h, 1 + 2 * levels)."""
    centre = estimates.log_return[:, :, None]
    widths = estimates.widths * late
    prices: FloatArray = close[:, None, None] * np.exp(
        np.concatenate([centre, centre - widths, centre + widths], axis=2)
    )
    return prices


def _intervals(prices: FloatArray) -> dict[int, tuple[float, float]]:
    lower, upper = prices[1 : 1 + len(LEVELS)].tolist(), prices[1 + len(LEVELS) :].tolist()
    return {level: (lower[place], upper[place]) for place, level in enumerate(LEVELS)}


def _signal(batch: _Batch, place: int, position: int) -> Signal:
    bundle, estimates = batch.bundle, batch.estimates
    relative = bundle.heads.get(BEATS_MEDIAN)
    standing = Standing(
        rise_edge=float(estimates.rise_edge[place, position]),
        lag_edge=_known(relative.base_rates[position] - estimates.beats_median[place, position]) if relative else None,
        risk_is_high=batch.risk_levels[place][position] == HIGH,
    )
    return decide(standing, bundle.rules, HORIZONS[position])


def _known(value: float) -> float | None:
    """NaN becomes None."""
    return float(value) if np.isfinite(value) else None


def _abstentions(symbol: str, reasons: Iterable[str]) -> list[InstrumentForecast]:
    why = tuple(reasons)
    return [InstrumentForecast(symbol=symbol, horizon_sessions=h, status=ABSTAINED, reasons=why) for h in HORIZONS]
