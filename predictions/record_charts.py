"""Geometry of the track record's charts on a 100 by 100 square that the page stretches; pure functions."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from predictions.accuracy_metrics import CalibrationBin
from predictions.selectors.metrics import Period

STEP = 0.1
LEAST_SPAN = 0.2
SMALLEST_DOT, LARGEST_DOT = 5.0, 16.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled grid line: its position, 0 at the bottom or left, and its share."""

    position: float
    share: float


@dataclass(frozen=True, slots=True)
class Dot:
    """A point with its size in pixels."""

    x: float
    y: float
    size: float = SMALLEST_DOT


@dataclass(frozen=True, slots=True)
class TimeChart:
    """Direction accuracy and share of rises over time: points of two `polyline`s, and the dots of the first."""

    accuracy: str
    base_rate: str
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class CalibrationChart:
    """Predicted against actual share of rises: one dot per bin, sized by its forecasts; both axes share the ticks."""

    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class CoverageLine:
    """Actual and nominal coverage of an interval, with positions on a line that starts at 50%."""

    level: int
    coverage: float
    actual_x: float
    target_x: float


def time_chart(periods: Sequence[Period]) -> TimeChart | None:
    """Return the chart of the periods, oldest first; None without scored periods."""
    pairs = [(period["accuracy"], period["base_rate"]) for period in periods]
    shares = [(accuracy, base_rate) for accuracy, base_rate in pairs if accuracy is not None and base_rate is not None]
    if not shares:
        return None
    position, ticks = _scale([share for pair in shares for share in pair])
    xs = [100 * (number + 0.5) / len(shares) for number in range(len(shares))]
    accuracy_line = [(x, 100 - position(accuracy)) for x, (accuracy, _) in zip(xs, shares, strict=True)]
    base_rate_line = [(x, 100 - position(base_rate)) for x, (_, base_rate) in zip(xs, shares, strict=True)]
    dots = tuple(Dot(x, y) for x, y in accuracy_line)
    return TimeChart(_points(accuracy_line), _points(base_rate_line), dots, ticks)


def calibration_chart(bins: Sequence[CalibrationBin]) -> CalibrationChart | None:
    """Return one dot per bin; None without bins."""
    if not bins:
        return None
    position, ticks = _scale([share for row in bins for share in (row["mean_probability"], row["share_up"])])
    largest = max(row["n"] for row in bins)
    dots = tuple(
        Dot(
            round(position(row["mean_probability"]), 2),
            round(100 - position(row["share_up"]), 2),
            round(SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * math.sqrt(row["n"] / largest), 1),
        )
        for row in bins
    )
    return CalibrationChart(dots, ticks)


def coverage_lines(coverage: dict[str, float | None]) -> list[CoverageLine]:
    """Return one line per level that has scored forecasts."""
    return [
        CoverageLine(int(level), share, max(0.0, round(200 * share - 100, 2)), 2.0 * int(level) - 100)
        for level, share in coverage.items()
        if share is not None
    ]


def _scale(shares: Sequence[float]) -> tuple[Callable[[float], float], tuple[Tick, ...]]:
    """Return a function from share to position in 0..100, and three ticks; the scale has steps of 10 points."""
    low = math.floor(round(min(shares) / STEP, 6)) * STEP
    high = math.ceil(round(max(shares) / STEP, 6)) * STEP
    if high - low < LEAST_SPAN:
        middle = round((low + high) / STEP) * STEP / 2
        low, high = max(0.0, middle - LEAST_SPAN / 2), min(1.0, middle + LEAST_SPAN / 2)

    def position(share: float) -> float:
        return 100 * (share - low) / (high - low)

    marks = (low, (low + high) / 2, high)
    return position, tuple(Tick(round(position(mark), 2), round(mark, 4)) for mark in marks)


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
