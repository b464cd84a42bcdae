"""Geometry of the record's charts on a square of 100 by 100 that is stretched to its place. Nothing here reads."""

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
    """A labelled line: where it lies, 0 at the bottom or left, and the share that it stands for."""

    place: float
    share: float


@dataclass(frozen=True, slots=True)
class Dot:
    """A point with its size in pixels."""

    x: float
    y: float
    size: float = SMALLEST_DOT


@dataclass(frozen=True, slots=True)
class TimeChart:
    """Right directions and rises over time: points of two `polyline`s, and the dots of the first."""

    accuracy: str
    base_rate: str
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class CalibrationChart:
    """What was said against what came: dots by bin, larger with more forecasts; ticks hold for both axes."""

    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class CoverageLine:
    """How often an interval held, and how often it should have, on a line that begins at 50 %."""

    level: int
    coverage: float
    coverage_position: float
    target_position: float


def time_chart(periods: Sequence[Period]) -> TimeChart | None:
    """The periods side by side, oldest first; None for nothing."""
    pairs = [(one["accuracy"], one["base_rate"]) for one in periods]
    shares = [(right, rose) for right, rose in pairs if right is not None and rose is not None]
    if not shares:
        return None
    place, ticks = _scale([share for pair in shares for share in pair])
    across = [100 * (number + 0.5) / len(shares) for number in range(len(shares))]
    accuracy = [(x, 100 - place(right)) for x, (right, _) in zip(across, shares, strict=True)]
    base_rate = [(x, 100 - place(rose)) for x, (_, rose) in zip(across, shares, strict=True)]
    return TimeChart(_points(accuracy), _points(base_rate), tuple(Dot(x, y) for x, y in accuracy), ticks)


def calibration_chart(bins: Sequence[CalibrationBin]) -> CalibrationChart | None:
    """One dot a bin; None for nothing."""
    if not bins:
        return None
    place, ticks = _scale([share for one in bins for share in (one["mean_probability"], one["share_up"])])
    most = max(one["n"] for one in bins)
    dots = tuple(
        Dot(
            round(place(one["mean_probability"]), 2),
            round(100 - place(one["share_up"]), 2),
            round(SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * math.sqrt(one["n"] / most), 1),
        )
        for one in bins
    )
    return CalibrationChart(dots, ticks)


def coverage_lines(coverage: dict[str, float | None]) -> list[CoverageLine]:
    """One line a level; none where nothing was scored."""
    return [
        CoverageLine(int(level), coverage, max(0.0, round(200 * coverage - 100, 2)), 2.0 * int(level) - 100)
        for level, coverage in coverage.items()
        if coverage is not None
    ]


def _scale(shares: Sequence[float]) -> tuple[Callable[[float], float], tuple[Tick, ...]]:
    """Places 0..100 of shares on a scale in steps of 10 points that holds them all, and three ticks."""
    low = math.floor(round(min(shares) / STEP, 6)) * STEP
    high = math.ceil(round(max(shares) / STEP, 6)) * STEP
    if high - low < LEAST_SPAN:
        middle = round((low + high) / STEP) * STEP / 2
        low, high = max(0.0, middle - LEAST_SPAN / 2), min(1.0, middle + LEAST_SPAN / 2)

    def place(share: float) -> float:
        return 100 * (share - low) / (high - low)

    marks = (low, (low + high) / 2, high)
    return place, tuple(Tick(round(place(mark), 2), round(mark, 4)) for mark in marks)


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
