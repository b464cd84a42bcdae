"""Parallel fits of a walk-forward run, one process each, because a fit uses one core."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue

from mlops.forecasting.backtest.rows import EvaluationPeriod
from mlops.forecasting.backtest.walk_forward import (
    EvaluatedPeriod,
    LearningSetCache,
    WalkForward,
    evaluate_period,
    with_searched_trees,
)
from mlops.forecasting.fitting import FitSettings
from mlops.forecasting.types import Panel, Progress

ProgressMessage = tuple[int, float, str]
LISTENING_S = 0.2


class WalkProgress:
    """Progress of the whole run; each period is weighted by the sessions before it."""

    def __init__(self, panel: Panel, periods: Sequence[EvaluationPeriod], progress: Progress) -> None:
        self._years = [str(panel.sessions[each.first].astype("datetime64[D]")) for each in periods]
        self._weights = [each.first for each in periods]
        self._shares = [0.0] * len(periods)
        self._progress = progress

    def report(self, place: int, share: float, stage: str) -> None:
        """Record the progress of one period and report the total."""
        self._shares[place] = share
        done = sum(weight * each for weight, each in zip(self._weights, self._shares, strict=True))
        which = f"{place + 1} of {len(self._shares)}, from {self._years[place]}"
        self._progress(done / sum(self._weights), f"{which}: {stage}")

    def of(self, place: int) -> Progress:
        """Return the progress callback of one period."""
        return lambda share, stage: self.report(place, share, stage)


def walk_forward(
    panel: Panel, periods: Sequence[EvaluationPeriod], settings: FitSettings, *, workers: int, progress: Progress
) -> WalkForward:
    """Evaluate every period. The first fit searches tree settings before the first test session; later fits use them.

    Results do not depend on `workers`, the number of parallel processes; one worker means this process.
    """
    walk_progress = WalkProgress(panel, periods, progress)
    if workers > 1 and len(periods) > 1:
        with _WorkerPool.start(panel, min(workers, len(periods) - 1)) as workers_pool:
            return workers_pool.walk_forward(periods, settings, walk_progress)
    cache = LearningSetCache(panel)
    evaluated: list[EvaluatedPeriod] = []
    for place, period in enumerate(periods):
        own = with_searched_trees(settings, evaluated[0].trees) if evaluated else settings
        evaluated.append(evaluate_period(cache, period, own, walk_progress.of(place)))
    return WalkForward(evaluated)


@dataclass(frozen=True, slots=True)
class _WorkerPool:
    """Worker processes with a copy of the panel, and their progress queue."""

    pool: ProcessPoolExecutor
    messages: "SimpleQueue[ProgressMessage]"

    @classmethod
    @contextmanager
    def start(cls, panel: Panel, workers: int) -> Iterator["_WorkerPool"]:
        # A fork after torch is loaded can hang, so workers are spawned.
        context = multiprocessing.get_context("spawn")
        messages: SimpleQueue[ProgressMessage] = context.SimpleQueue()
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare, initargs=(panel, messages))
        try:
            yield cls(pool, messages)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def walk_forward(
        self, periods: Sequence[EvaluationPeriod], settings: FitSettings, walk_progress: WalkProgress
    ) -> WalkForward:
        """Evaluate the first period, then all others in parallel, longest first."""
        first = self._finished({0: self.pool.submit(_judge, 0, periods[0], settings)}, walk_progress)
        settings = with_searched_trees(settings, first[0].trees)
        later = {
            place: self.pool.submit(_judge, place, periods[place], settings) for place in range(len(periods) - 1, 0, -1)
        }
        evaluated = first | self._finished(later, walk_progress)
        return WalkForward([evaluated[place] for place in range(len(periods))])

    def _finished(
        self, known: dict[int, Future[EvaluatedPeriod]], walk_progress: WalkProgress
    ) -> dict[int, EvaluatedPeriod]:
        waiting: set[Future[EvaluatedPeriod]] = set(known.values())
        while waiting:
            done, waiting = wait(waiting, timeout=LISTENING_S, return_when=FIRST_COMPLETED)
            while not self.messages.empty():
                walk_progress.report(*self.messages.get())
            for future in done:
                future.result()
        return {place: future.result() for place, future in known.items()}


@dataclass(frozen=True, slots=True)
class _WorkerState:
    """State of one worker process."""

    cache: LearningSetCache
    messages: "SimpleQueue[ProgressMessage]"


_worker_states: list[_WorkerState] = []


def _prepare(panel: Panel, messages: "SimpleQueue[ProgressMessage]") -> None:
    """Initialise a worker; Ctrl-C ends it silently, because the parent reports it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker_states.append(_WorkerState(LearningSetCache(panel), messages))


def _end_with_parent() -> None:
    """Exit when the parent process is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _judge(place: int, period: EvaluationPeriod, settings: FitSettings) -> EvaluatedPeriod:
    state = _worker_states[-1]

    def report(share: float, stage: str) -> None:
        state.messages.put((place, share, stage))

    return evaluate_period(state.cache, period, settings, report)
