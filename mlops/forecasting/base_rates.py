"""Base rates of target heads; that of a rise is shrunk towards a long-run prior."""

from dataclasses import dataclass

import numpy as np

from mlops.forecasting.bundle import UP
from mlops.forecasting.ensemble import logit_of
from mlops.forecasting.metrics.bootstrap import squared_error
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.types import HORIZONS, FloatArray

# Share of rises among the closes that changed, 1, 5, 10 and 20 sessions ahead: 20 US stocks, 1991 to 2003.
PRIOR_RISE_RATES = np.array([0.51, 0.54, 0.56, 0.58])
# Standard deviation of long-run rates between markets; proportional to the root of the horizon.
PRIOR_SPREAD = 0.02 * np.sqrt(np.array(HORIZONS) / 20)
RECENT_SESSIONS = 252


@dataclass(frozen=True, slots=True)
class Rates:
    """base: shape (h,), expected share of ones; learned: shape (h,), share of ones among the training labels.

    Both are NaN without labels, and never exactly 0 or 1.
    """

    base: FloatArray
    learned: FloatArray

    @property
    def shifts(self) -> FloatArray:
        """Offset of the members' log odds from the training rate to the base rate, shape (h,)."""
        return logit_of(self.base) - logit_of(self.learned)


def rates_of(head: str, training_labels: FloatArray, labels: FloatArray, rows: IntArray) -> Rates:
    """Return the rates of a head; lessons, labels: shape (n, h), NaN where not known; rows: shape (n,), sessions.

    The rate of a rise is its share among changed closes, shrunk towards the prior in proportion to their variances,
    times the share of changed closes in the last year.
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
    """Return the share of ones by horizon, one half added to both counts, shape (h,); NaN without labels."""
    known = np.isfinite(labels).sum(axis=0)
    shares: FloatArray = np.where(known > 0, (np.nansum(labels, axis=0) + 0.5) / (known + 1.0), np.nan)
    return shares
