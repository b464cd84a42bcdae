"""Hold-out metrics of a version as table rows: each accuracy next to its baseline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOT_MEASURED = "-"
HEADINGS = (
    "days", "n", "accuracy", "baseline", "AUC", "Brier", "80%", "95%", "99%", "vol. accuracy", "vol. baseline"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HorizonScore:
    """Metrics of the hold-out fit at one horizon; None where a metric was not measured."""

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
        """The metrics as text, in the order of HEADINGS."""
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
    """Return one score per horizon of a version's stored metrics, shortest horizon first."""
    horizons: Mapping[str, Any] = metrics.get("horizons") or {}
    return [_score(int(key), horizons[key]) for key in sorted(horizons, key=int)]


def percent(share: float | None, *, decimals: int = 1) -> str:
    """Format a share as a percentage, None as a dash."""
    return NOT_MEASURED if share is None else f"{100 * share:.{decimals}f}%"


def decimals(figure: float | None, *, decimals: int = 3) -> str:
    """Format a number with `decimals` decimals, None as a dash."""
    return NOT_MEASURED if figure is None else f"{figure:.{decimals}f}"


def _score(horizon_sessions: int, stored: Mapping[str, Any]) -> HorizonScore:
    coverage = stored.get("coverage") or {}
    volatility = stored.get("volatility_rises") or {}
    return HorizonScore(
        horizon_sessions=horizon_sessions,
        n=stored.get("n") or 0,
        accuracy=stored.get("accuracy"),
        base_rate=stored.get("base_rate"),
        auc=stored.get("auc"),
        brier=stored.get("brier"),
        coverage_80=coverage.get("80"),
        coverage_95=coverage.get("95"),
        coverage_99=coverage.get("99"),
        volatility_accuracy=volatility.get("accuracy"),
        volatility_base_rate=volatility.get("base_rate"),
    )


def counted(count: int, noun: str) -> str:
    """Format a count with its noun: "1 head", "2,904 forecasts"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
