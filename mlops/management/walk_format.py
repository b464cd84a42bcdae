"""Formatting of walk-forward metrics with their confidence bounds."""

from collections.abc import Sequence

from mlops.scorecard import NOT_MEASURED, percent


def with_bounds(share: float | None, bounds: Sequence[float] | None) -> str:
    """Format a share with its bounds."""
    return percent(share) if share is None or bounds is None else f"{percent(share)} {_bounds(bounds, 100, '.1f')}"


def points(share: float | None, bounds: Sequence[float] | None) -> str:
    """Format a difference of shares in percentage points with its bounds."""
    return _signed(share, bounds, scale=100, form="+.1f")


def tenthousandths(figure: float | None, bounds: Sequence[float] | None) -> str:
    """Format a difference in units of 1e-4 with its bounds."""
    return _signed(figure, bounds, scale=10_000, form="+.1f")


def _signed(figure: float | None, bounds: Sequence[float] | None, *, scale: float, form: str) -> str:
    if figure is None:
        return NOT_MEASURED
    formatted = f"{scale * figure:{form}}"
    return formatted if bounds is None else f"{formatted} {_bounds(bounds, scale, form)}"


def _bounds(bounds: Sequence[float], scale: float, form: str) -> str:
    low, high = bounds
    return f"[{scale * low:{form}}, {scale * high:{form}}]"
