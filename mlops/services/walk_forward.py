"""Judging the models on a file of bars, walking forward; nothing is read from or written to the database."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mlops.forecasting.backtest.report import Measured, report
from mlops.forecasting.backtest.walk_forward import YEARLY, stretches_of
from mlops.forecasting.backtest.workers import walk
from mlops.forecasting.fitting import FitSettings
from mlops.forecasting.learning import learning_set
from mlops.forecasting.types import HORIZONS, Progress
from mlops.panel_files import PanelFile, read_panel

READ, WALKED = 0.01, 0.99


@dataclass(frozen=True, slots=True)
class WalkPlan:
    """What is judged, from when on, how often it is fitted again, and by how many processes."""

    path: Path
    test_from: date
    fit: FitSettings
    refit: str = YEARLY
    horizons: Sequence[int] = HORIZONS
    workers: int = 1


def evaluate_file(plan: WalkPlan, progress: Progress) -> dict[str, Any]:
    """Every figure of a walk over the bars of a file, out of sample, as it can be written as JSON.

    The same file, settings and seed give the same figures, whatever the number of workers. Raises PanelFileUnusable,
    TooLittleHistory, or TooFewTestSessions.
    """
    began = time.perf_counter()
    progress(0.0, "reading bars")
    read = read_panel(plan.path)
    stretches = stretches_of(read.panel.sessions, test_from=plan.test_from, refit=plan.refit)
    walked = walk(
        read.panel,
        stretches,
        plan.fit,
        workers=plan.workers,
        progress=lambda share, stage: progress(READ + (WALKED - READ) * share, stage),
    )
    progress(WALKED, "figures")
    measured = Measured(read.panel, learning_set(read.panel), plan.fit.seed)
    figures = report(walked, measured, plan.horizons)
    figures |= {
        "sentiment_ablation": None,
        "panel": _facts(read),
        "test_from": plan.test_from.isoformat(),
        "refit": plan.refit,
        "seed": plan.fit.seed,
        "workers": plan.workers,
        "seconds": time.perf_counter() - began,
    }
    progress(1.0, "done")
    return figures


def _facts(read: PanelFile) -> dict[str, Any]:
    """What was judged on."""
    sessions = read.panel.sessions
    return {
        "symbols": len(read.panel.symbols),
        "sessions": len(sessions),
        "first": str(sessions[0]),
        "last": str(sessions[-1]),
        "bars": read.bars,
        "left_out": dict(read.refused),
    }
