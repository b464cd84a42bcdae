"""Walk-forward evaluation of the models on a file of bars, without a database."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from mlops.forecasting.backtest.ablation import ablation
from mlops.forecasting.backtest.report import ReportInputs, report
from mlops.forecasting.backtest.walk_forward import YEARLY, WalkForward, evaluation_periods
from mlops.forecasting.backtest.workers import walk_forward
from mlops.forecasting.figures import Figures
from mlops.forecasting.fitting import FitSettings
from mlops.forecasting.learning import learning_set
from mlops.forecasting.types import HORIZONS, Progress, part_of
from mlops.panel_files import PanelFile, add_news, read_panel

READING_ENDS, WALKS_END = 0.01, 0.99


@dataclass(frozen=True, slots=True)
class WalkPlan:
    """Data file, start, refit period and number of processes of an evaluation; news: a file of sentiment scores."""

    path: Path
    test_from: date
    fit: FitSettings
    refit: str = YEARLY
    horizons: Sequence[int] = HORIZONS
    workers: int = 1
    news: Path | None = None


def evaluate_file(plan: WalkPlan, progress: Progress) -> Figures:
    """Return all out-of-sample metrics of a walk over the bars of a file, ready for JSON.

    With a news file a second walk without news is run and the two are compared. The same files, settings and seed give
    the same metrics for any number of workers. Raises PanelFileUnusable, TooLittleHistory or TooFewTestSessions.
    """
    began = time.perf_counter()
    progress(0.0, "reading bars")
    read = read_panel(plan.path)
    news = add_news(read.panel, plan.news) if plan.news else None
    panel = news.panel if news else read.panel
    periods = evaluation_periods(panel.sessions, test_from=plan.test_from, refit=plan.refit)
    first_walk_ends = READING_ENDS + (WALKS_END - READING_ENDS) * (0.5 if news else 1.0)

    def evaluate(fit: FitSettings, start: float, end: float) -> WalkForward:
        part = part_of(progress, start, end)
        return walk_forward(panel, periods, fit, workers=plan.workers, progress=part)

    walk = evaluate(plan.fit, READING_ENDS, first_walk_ends)
    compared = None
    if news:
        walk_without_news = evaluate(replace(plan.fit, news=False), first_walk_ends, WALKS_END)
        compared = ablation(walk, walk_without_news, plan.horizons, seed=plan.fit.seed)
        compared |= {"rows": news.rows, "left_out": dict(news.left_out)}
    progress(WALKS_END, "computing metrics")
    figures = report(walk, ReportInputs(panel, learning_set(panel), plan.fit.seed), plan.horizons)
    figures |= {
        "sentiment_ablation": compared,
        "panel": _panel_summary(read),
        "test_from": plan.test_from.isoformat(),
        "refit": plan.refit,
        "seed": plan.fit.seed,
        "workers": plan.workers,
        "seconds": time.perf_counter() - began,
    }
    progress(1.0, "done")
    return figures


def _panel_summary(read: PanelFile) -> Figures:
    """Describe the panel and the rows left out."""
    sessions = read.panel.sessions
    return {
        "symbols": len(read.panel.symbols),
        "sessions": len(sessions),
        "first": str(sessions[0]),
        "last": str(sessions[-1]),
        "bars": read.bars,
        "left_out": dict(read.refused),
    }
