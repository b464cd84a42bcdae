"""Judging the models on a file of bars, walking forward; nothing is read from or written to the database."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from mlops.forecasting.backtest.ablation import ablation
from mlops.forecasting.backtest.report import ReportInputs, report
from mlops.forecasting.backtest.walk_forward import YEARLY, evaluation_periods
from mlops.forecasting.backtest.workers import walk_forward
from mlops.forecasting.figures import Figures
from mlops.forecasting.fitting import FitSettings
from mlops.forecasting.learning import learning_set
from mlops.forecasting.types import HORIZONS, Progress
from mlops.panel_files import PanelFile, read_panel, with_news

READ, WALKED = 0.01, 0.99


@dataclass(frozen=True, slots=True)
class WalkPlan:
    """What is judged, from when on, how often it is fitted again, and by how many processes; news: a file of scores."""

    path: Path
    test_from: date
    fit: FitSettings
    refit: str = YEARLY
    horizons: Sequence[int] = HORIZONS
    workers: int = 1
    news: Path | None = None


def evaluate_file(plan: WalkPlan, progress: Progress) -> Figures:
    """Every figure of a walk over the bars of a file, out of sample, as it can be written as JSON.

    With a file of news the walk may read them; a second walk may not, and the two are compared. The same files,
    settings and seed give the same figures, whatever the number of workers. Raises PanelFileUnusable, TooLittleHistory,
    or TooFewTestSessions.
    """
    began = time.perf_counter()
    progress(0.0, "reading bars")
    read = read_panel(plan.path)
    news = with_news(read.panel, plan.news) if plan.news else None
    panel = news.panel if news else read.panel
    stretches = evaluation_periods(panel.sessions, test_from=plan.test_from, refit=plan.refit)
    walked_at = READ + (WALKED - READ) * (0.5 if news else 1.0)
    walked = walk_forward(panel, stretches, plan.fit, workers=plan.workers, progress=_part(progress, READ, walked_at))
    compared = None
    if news:
        deaf = replace(plan.fit, news=False)
        other = walk_forward(panel, stretches, deaf, workers=plan.workers, progress=_part(progress, walked_at, WALKED))
        compared = ablation(walked, other, plan.horizons, seed=plan.fit.seed)
        compared |= {"rows": news.rows, "left_out": dict(news.left_out)}
    progress(WALKED, "figures")
    figures = report(walked, ReportInputs(panel, learning_set(panel), plan.fit.seed), plan.horizons)
    figures |= {
        "sentiment_ablation": compared,
        "panel": _facts(read),
        "test_from": plan.test_from.isoformat(),
        "refit": plan.refit,
        "seed": plan.fit.seed,
        "workers": plan.workers,
        "seconds": time.perf_counter() - began,
    }
    progress(1.0, "done")
    return figures


def _part(progress: Progress, start: float, end: float) -> Progress:
    """The progress of one walk as a part of the whole."""
    return lambda share, stage: progress(start + (end - start) * share, stage)


def _facts(read: PanelFile) -> Figures:
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
