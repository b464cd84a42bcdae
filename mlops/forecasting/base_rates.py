"""How often the answer to a question is yes: counted, and for a rise drawn towards what stocks have long done."""

from dataclasses import dataclass

import numpy as np

from mlops.forecasting.bundle import UP
from mlops.forecasting.ensemble import logit_of
from mlops.forecasting.metrics.bootstrap import squared_error
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.types import HORIZONS, FloatArray

# Share of rises among the closes that changed, 1, 5, 10 and 20 sessions ahead: 20 US stocks, 1991 to 2003.
PRIOR_RISE_RATES = np.array([0.51, 0.54, 0.56, 0.58])
# How far markets lie apart in the long run, as a standard deviation; a lasting difference grows with the root of time.
PRIOR_SPREAD = 0.02 * np.sqrt(np.array(HORIZONS) / 20)
RECENT_SESSIONS = 252


@dataclass(frozen=True, slots=True)
class Rates:
    """base: shape (h,), how often yes is to be expected; learned: shape (h,), how often the members are told yes.

    Both are NaN where nothing is known, and never exactly 0 or 1.
    """

    base: FloatArray
    learned: FloatArray

    @property
    def shifts(self) -> FloatArray:
        """What has to be added to the members' log odds for them to start from the base rate, shape (h,)."""
        return logit_of(self.base) - logit_of(self.learned)


def rates_of(head: str, training_labels: FloatArray, labels: FloatArray, rows: IntArray) -> Rates:
    """The rates of a head; lessons, labels: shape (n, h), NaN where not known; rows: shape (n,), sessions.

    A rise is as frequent as it was among the closes that changed, drawn towards what is usual by as much as that is
    surer than what was counted, times the share of closes that changed over the last year.
    """
    learned = _shares(training_labels)
    if head != UP or not len(rows):
        return Rates(learned, learned)
    errors = np.array([squared_error(each, rows) for each in training_labels.T])
    prior_weight = 1 - PRIOR_SPREAD**2 / (errors + PRIOR_SPREAD**2)
    known = np.isfinite(labels)
    recent = (rows > rows.max() - RECENT_SESSIONS)[:, None]
    changed = (np.isfinite(training_labels) & recent).sum(axis=0) / np.maximum((known & recent).sum(axis=0), 1)
    shrunk = (1 - prior_weight) * learned + prior_weight * PRIOR_RISE_RATES
    return Rates(np.where(changed > 0, shrunk * changed, learned), learned)


def _shares(labels: FloatArray) -> FloatArray:
    """How often each horizon's label was 1, half a yes and half a no added, shape (h,); NaN where none is known."""
    known = np.isfinite(labels).sum(axis=0)
    shares: FloatArray = np.where(known > 0, (np.nansum(labels, axis=0) + 0.5) / (known + 1.0), np.nan)
    return shares
