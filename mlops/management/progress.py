"""Progress of long computations on stderr: a bar on a terminal, else a line every 10%."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from mlops.forecasting.types import Progress

FIRST_ESTIMATE_S = 2.0


@contextmanager
def report_progress(what: str, *, lines: bool = False) -> Iterator[Progress]:
    """Yield a callback that draws a bar with the time left, or with `lines` prints a line every 10%."""
    console = Console(stderr=True)
    began, tenths = time.monotonic(), 0

    def report(share: float, stage: str) -> None:
        nonlocal tenths
        text = f"{stage}{_left(share, time.monotonic() - began)}"
        bar.update(task, completed=share, description=text)
        if lines and not console.is_terminal and int(10 * share) > tenths:
            tenths = int(10 * share)
            sys.stderr.write(f"{what}: {100 * share:.0f}%, {text}\n")

    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with ProgressBar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=1.0)
        yield report


def _left(share: float, elapsed_s: float) -> str:
    """Return the estimated time left at the average speed so far."""
    if not 0 < share < 1 or elapsed_s < FIRST_ESTIMATE_S:
        return ""
    return f", about {elapsed_s / share * (1 - share):.0f} s left"
