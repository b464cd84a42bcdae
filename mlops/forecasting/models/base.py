"""Protocol of ensemble members."""

from pathlib import Path
from typing import Protocol, Self

from mlops.forecasting.models.samples import Samples
from mlops.forecasting.models.settings import MemberSettings
from mlops.forecasting.types import FloatArray


class Member(Protocol):
    """A classifier for several horizons at once.

    labels: shape (n, h), 0 or 1, NaN where the target is not known; a horizon without any label has NaN logits.
    logits: shape (n, h), log odds of 1, from the samples alone.
    """

    @classmethod
    def fit(cls, samples: Samples, labels: FloatArray, settings: MemberSettings) -> Self: ...

    def logits(self, samples: Samples) -> FloatArray: ...

    def save(self, folder: Path, stem: str) -> None: ...

    @classmethod
    def load(cls, folder: Path, stem: str) -> Self: ...
