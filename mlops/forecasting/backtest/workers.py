"""The fits of a walk, several at once: each in a process of its own, because a fit uses one core."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue

from mlops.forecasting.backtest.rows import Stretch
from mlops.forecasting.backtest.walk_forward import Ground, Judged, Walk, judge_stretch, settings_found
from mlops.forecasting.fitting import FitSettings
from mlops.forecasting.types import Panel, Progress

Told = tuple[int, float, str]
LISTENING_S = 0.2


class Tally:
    """How far the whole walk is, from how far each stretch is; a stretch weighs as much as the sessions before it."""

    def __init__(self, panel: Panel, stretches: Sequence[Stretch], progress: Progress) -> None:
        self._years = [str(panel.sessions[each.first].astype("datetime64[D]")) for each in stretches]
        self._weights = [each.first for each in stretches]
        self._shares = [0.0] * len(stretches)
        self._progress = progress

    def tell(self, place: int, share: float, stage: str) -> None:
        """Note how far the stretch at `place` is, and tell about the whole."""
        self._shares[place] = share
        done = sum(weight * each for weight, each in zip(self._weights, self._shares, strict=True))
        which = f"{place + 1} of {len(self._shares)}, from {self._years[place]}"
        self._progress(done / sum(self._weights), f"{which}: {stage}")

    def of(self, place: int) -> Progress:
        """The progress of one stretch."""
        return lambda share, stage: self.tell(place, share, stage)


def walk(
    panel: Panel, stretches: Sequence[Stretch], settings: FitSettings, *, workers: int, progress: Progress
) -> Walk:
    """Judge every stretch. The first fit searches for its settings, before the first test session; all others keep
    what it found.

    The numbers do not depend on `workers`, the processes that fit at the same time; with one, all is done in this one.
    """
    tally = Tally(panel, stretches, progress)
    if workers > 1 and len(stretches) > 1:
        with _Crew.at_work(panel, min(workers, len(stretches) - 1)) as crew:
            return crew.walk(stretches, settings, tally)
    ground = Ground(panel)
    judged: list[Judged] = []
    for place, stretch in enumerate(stretches):
        own = settings_found(settings, judged[0].trees) if judged else settings
        judged.append(judge_stretch(ground, stretch, own, tally.of(place)))
    return Walk(judged)


@dataclass(frozen=True, slots=True)
class _Crew:
    """Processes that hold the panel, and the queue on which they tell how far they are."""

    pool: ProcessPoolExecutor
    messages: "SimpleQueue[Told]"

    @classmethod
    @contextmanager
    def at_work(cls, panel: Panel, workers: int) -> Iterator["_Crew"]:
        # A fork of a process that has loaded torch can hang, so each one starts afresh.
        context = multiprocessing.get_context("spawn")
        messages: SimpleQueue[Told] = context.SimpleQueue()
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare, initargs=(panel, messages))
        try:
            yield cls(pool, messages)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def walk(self, stretches: Sequence[Stretch], settings: FitSettings, tally: Tally) -> Walk:
        """The first stretch, then all others at once, the longest first."""
        first = self._finished({0: self.pool.submit(_judge, 0, stretches[0], settings)}, tally)
        settings = settings_found(settings, first[0].trees)
        later = {
            place: self.pool.submit(_judge, place, stretches[place], settings)
            for place in range(len(stretches) - 1, 0, -1)
        }
        judged = first | self._finished(later, tally)
        return Walk([judged[place] for place in range(len(stretches))])

    def _finished(self, asked: dict[int, Future[Judged]], tally: Tally) -> dict[int, Judged]:
        waiting: set[Future[Judged]] = set(asked.values())
        while waiting:
            done, waiting = wait(waiting, timeout=LISTENING_S, return_when=FIRST_COMPLETED)
            while not self.messages.empty():
                tally.tell(*self.messages.get())
            for future in done:
                future.result()
        return {place: future.result() for place, future in asked.items()}


@dataclass(frozen=True, slots=True)
class _Desk:
    """What one process of the crew holds."""

    ground: Ground
    messages: "SimpleQueue[Told]"


_desks: list[_Desk] = []


def _prepare(panel: Panel, messages: "SimpleQueue[Told]") -> None:
    """Make a fresh process ready; Ctrl-C ends it without a word, because the one that asked says what happened."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _desks.append(_Desk(Ground(panel), messages))


def _end_with_parent() -> None:
    """A fit takes minutes, and nobody waits for it once the process that asked is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _judge(place: int, stretch: Stretch, settings: FitSettings) -> Judged:
    desk = _desks[-1]

    def tell(share: float, stage: str) -> None:
        desk.messages.put((place, share, stage))

    return judge_stretch(desk.ground, stretch, settings, tell)
