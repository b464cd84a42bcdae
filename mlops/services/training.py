"""Training: fit before the hold-out, evaluate on it, refit on all sessions, register both."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import structlog
from django.db import transaction

from marketdata.selectors import active_instruments
from mlops.artifacts import discard, write
from mlops.conf import ModelSettings
from mlops.dataset import load_panel
from mlops.errors import InsufficientHistory, MlopsError
from mlops.forecasting.bundle import Bundle
from mlops.forecasting.errors import TooLittleHistory
from mlops.forecasting.figures import json_ready
from mlops.forecasting.fitting import FEWEST_SESSIONS, FitSettings, fit_bundle
from mlops.forecasting.holdout import HoldoutReport, evaluate_holdout
from mlops.forecasting.storage import save_bundle
from mlops.forecasting.toolchain import toolchain
from mlops.forecasting.types import HORIZONS, Panel, Progress, no_progress, part_of
from mlops.interruption import interrupt_if_stopping
from mlops.models import Evaluation, ModelVersion, TrainingRun
from mlops.services import locks
from mlops.services.evaluation import judge_challenger
from mlops.services.registry import promote
from mlops.services.training_runs import (
    Clock,
    ProgressWriter,
    claim_run,
    failures_recorded,
    finish_run,
    request_training,
)

__all__ = ["Training", "TrainingPlan", "request_training", "run_training", "train"]

log = structlog.get_logger(__name__)

FIRST_REASON = "first trained version"
HOLDOUT_FIT_ENDS, EVALUATION_ENDS, SERVING_FIT_ENDS = 0.48, 0.54, 0.98


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Data and settings of a training: sessions up to `through`, the last `holdout_sessions` as hold-out."""

    holdout_sessions: int
    fit: FitSettings
    note: str = ""
    through: date | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """A finished training: its version and, unless it is the first, its comparison with the champion."""

    version: ModelVersion
    evaluation: Evaluation | None
    remark: str = ""

    @property
    def in_production(self) -> bool:
        """Whether the version became champion."""
        return self.version.stage == ModelVersion.Stage.CHAMPION


@dataclass(frozen=True, slots=True)
class HoldoutDates:
    """Last training session before the hold-out, and the first and last session of the hold-out."""

    trained_through: date
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Fits:
    """Both fits of a version, and the hold-out metrics of the first."""

    holdout: Bundle
    serving: Bundle
    report: HoldoutReport


def train(plan: TrainingPlan, *, artifacts: Path, now: datetime, progress: Progress) -> ModelVersion:
    """Train by `plan` and register the version; the first version ever becomes champion.

    `artifacts` is the folder that serving reads. Raises InsufficientHistory if there are too few sessions before the
    hold-out. A failure leaves no row and no files. A second call creates another version.
    """
    began = time.perf_counter()
    progress(0.0, "reading bars")
    panel = load_panel(instruments=active_instruments(), through=plan.through)
    dates = holdout_of(panel, plan.holdout_sessions)
    fits = _fit(panel, dates, plan.fit, progress)
    progress(SERVING_FIT_ENDS, "registering")
    version = ModelVersion(
        feature_set=fits.serving.feature_set,
        seed=plan.fit.seed,
        trained_through=dates.last,
        holdout_trained_through=dates.trained_through,
        holdout_first=dates.first,
        holdout_last=dates.last,
        toolchain=toolchain(),
        metrics=json_ready(fits.report.metrics),
        created_at=now,
        note=plan.note,
    )
    _register(version, fits, artifacts, began)
    progress(1.0, "done")
    return version


def run_training(
    *,
    run_pk: int,
    settings: ModelSettings,
    clock: Clock,
    progress: Progress = no_progress,
    fit_settings: Callable[[int], FitSettings] = FitSettings,
) -> Training | None:
    """Run a queued training and compare the result with the champion; None if another worker claimed the run.

    The run is locked while this process lives. `fit_settings` builds the fit settings from the run's seed. A failure is
    stored on the row and re-raised; TrainingInterrupted, if the worker is told to stop, queues the run again. If only
    the comparison fails, the run is done, the champion stays, and the row states the reason.
    """
    with locks.training_lock(run_pk) as is_free:
        run = claim_run(run_pk, now=clock()) if is_free else None
        if run is None:
            return None
        write_progress = ProgressWriter(run, clock=clock)

        def notify(share: float, stage: str) -> None:
            interrupt_if_stopping()
            write_progress(share, stage)
            progress(share, stage)

        with failures_recorded(run, clock):
            plan = TrainingPlan(
                holdout_sessions=settings.holdout_sessions,
                fit=fit_settings(run.seed),
                note=run.reason,
                through=run.through,
            )
            version = train(plan, artifacts=settings.artifacts, now=clock(), progress=notify)
            return _compare(run, version, clock)


def sessions_needed(holdout_sessions: int) -> int:
    """Return the number of sessions needed: training, hold-out, and outcomes of the hold-out."""
    return FEWEST_SESSIONS + holdout_sessions + max(HORIZONS)


def holdout_of(panel: Panel, holdout_sessions: int) -> HoldoutDates:
    """Return the hold-out at the end of the panel: `holdout_sessions` origins plus the longest horizon.

    So every origin has outcomes at every horizon. Raises InsufficientHistory if too few sessions remain for training.
    """
    held_out, needed = holdout_sessions + max(HORIZONS), sessions_needed(holdout_sessions)
    sessions: list[date] = panel.sessions.astype(object).tolist()
    if len(sessions) < needed:
        raise InsufficientHistory(len(sessions), needed)
    first = len(sessions) - held_out
    return HoldoutDates(trained_through=sessions[first - 1], first=sessions[first], last=sessions[-1])


def _compare(run: TrainingRun, version: ModelVersion, clock: Clock) -> Training:
    """Compare a version with the champion unless it is the first; the run is done in any case."""
    evaluation, remark = None, ""
    if version.stage != ModelVersion.Stage.CHAMPION:
        try:
            evaluation = judge_challenger(challenger=version, now=clock())
        except MlopsError as error:
            remark = f"{version.version} was trained but not compared with the champion. {error}"
            log.warning("challenger_not_judged", version=version.version, error=str(error))
    finish_run(run, version, now=clock(), remark=remark)
    version.refresh_from_db()
    return Training(version, evaluation, remark)


def _fit(panel: Panel, dates: HoldoutDates, fit_settings: FitSettings, progress: Progress) -> Fits:
    """Fit twice on the same features, so that the hold-out metrics describe the serving fit."""
    try:
        holdout = fit_bundle(
            panel,
            through=dates.trained_through,
            settings=fit_settings,
            progress=part_of(progress, 0.0, HOLDOUT_FIT_ENDS, "up to the hold-out"),
        )
        progress(HOLDOUT_FIT_ENDS, "evaluating on the hold-out")
        report = evaluate_holdout(holdout, panel, first=dates.first, last=dates.last)
        serving = fit_bundle(
            panel,
            through=dates.last,
            settings=replace(fit_settings, news=holdout.uses_news),
            progress=part_of(progress, EVALUATION_ENDS, SERVING_FIT_ENDS, "on all sessions"),
        )
    except TooLittleHistory as error:
        raise InsufficientHistory(error.have, error.needed) from error
    return Fits(holdout=holdout, serving=serving, report=report)


def _register(version: ModelVersion, fits: Fits, root: Path, began: float) -> None:
    """Name the version and store its files and its row; delete the files if the row cannot be stored."""

    def fill(folder: Path) -> None:
        for name, bundle in (("holdout", fits.holdout), ("serving", fits.serving)):
            (folder / name).mkdir()
            save_bundle(bundle, folder / name)

    with transaction.atomic():
        locks.hold(locks.VERSION_NAMES)
        version.version = _next_name()
        try:
            written = write(root=root, name=version.version, fill=fill)
            version.artifact_path, version.artifact_sha256 = written.name, written.sha256
            version.train_seconds = round(time.perf_counter() - began, 3)
            version.save()
            if not ModelVersion.objects.filter(stage=ModelVersion.Stage.CHAMPION).exists():
                promote(version=version, actor=None, reason=FIRST_REASON, now=version.created_at)
        except BaseException:
            discard(root=root, name=version.version)
            raise
    log.info("version_trained", version=version.version, seconds=version.train_seconds, stage=version.stage)


def _next_name() -> str:
    """Return the next name of v1, v2, ...; other names are ignored."""
    names = ModelVersion.objects.filter(version__regex=r"^v[1-9][0-9]*$").values_list("version", flat=True)
    return f"v{max((int(name[1:]) for name in names), default=0) + 1}"
