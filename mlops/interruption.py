"""Whether this process was told to stop; a training asks between its steps."""

import threading

from mlops.errors import MlopsError

_stopping = threading.Event()


class TrainingInterrupted(MlopsError):
    """The worker was told to stop during a training."""

    def __init__(self) -> None:
        super().__init__("The worker stopped during the training. Another one starts it again.")


def stop_trainings(**_: object) -> None:
    """Interrupt this process's training at its next progress report; called when the worker is told to stop."""
    _stopping.set()


def interrupt_if_stopping() -> None:
    """Raise TrainingInterrupted once the worker was told to stop."""
    if _stopping.is_set():
        raise TrainingInterrupted
