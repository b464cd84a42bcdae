"""A version's measured figures in the order they are shown: each accuracy beside the base rate it has to beat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOT_MEASURED = "-"
HEADINGS = ("sessions", "n", "right", "base", "AUC", "Brier", "80 %", "95 %", "99 %", "vol. rises", "base")


@dataclass(frozen=True, slots=True)
class HorizonScore:
    """How the hold-out fit did at one horizon; None where a figure was not measured."""

    horizon_sessions: int
    n: int
    accuracy: float | None
    base_rate: float | None
    auc: float | None
    brier: float | None
    coverage_80: float | None
    coverage_95: float | None
    coverage_99: float | None
    volatility_accuracy: float | None
    volatility_base_rate: float | None

    @property
    def cells(self) -> tuple[str, ...]:
        """The figures as text, in the order of HEADINGS."""
        return (
            str(self.horizon_sessions),
            f"{self.n:,}",
            percent(self.accuracy),
            percent(self.base_rate),
            decimals(self.auc),
            decimals(self.brier),
            percent(self.coverage_80),
            percent(self.coverage_95),
            percent(self.coverage_99),
            percent(self.volatility_accuracy),
            percent(self.volatility_base_rate),
        )


def scorecard(metrics: Mapping[str, Any]) -> list[HorizonScore]:
    """One score per horizon of a version's stored metrics, shortest horizon first."""
    horizons: Mapping[str, Any] = metrics.get("horizons") or {}
    return [_score(int(key), horizons[key]) for key in sorted(horizons, key=int)]


def percent(share: float | None, *, decimals: int = 1) -> str:
    """A share as people read it, or a dash."""
    return NOT_MEASURED if share is None else f"{100 * share:.{decimals}f} %"


def decimals(figure: float | None, *, decimals: int = 3) -> str:
    """A figure with so many decimals, or a dash."""
    return NOT_MEASURED if figure is None else f"{figure:.{decimals}f}"


def _score(horizon_sessions: int, inputs: Mapping[str, Any]) -> HorizonScore:
    coverage = inputs.get("coverage") or {}
    volatility = inputs.get("volatility_rises") or {}
    return HorizonScore(
        horizon_sessions=horizon_sessions,
        n=inputs.get("n") or 0,
        accuracy=inputs.get("accuracy"),
        base_rate=inputs.get("base_rate"),
        auc=inputs.get("auc"),
        brier=inputs.get("brier"),
        coverage_80=coverage.get("80"),
        coverage_95=coverage.get("95"),
        coverage_99=coverage.get("99"),
        volatility_accuracy=volatility.get("accuracy"),
        volatility_base_rate=volatility.get("base_rate"),
    )


def counted(count: int, noun: str) -> str:
    """A number of things: "1 head", "2,904 forecasts"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
