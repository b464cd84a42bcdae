"""How much better than a naive forecast: one minus the share of its squared error that is left, NaN for none."""

import numpy as np

from mlops.forecasting.types import FloatArray


def price_mse_skill(expected: FloatArray, log_return: FloatArray) -> float:
    """Against "the price stays", in shares of the last price; expected and true log return, shape (n,) each."""
    actual = np.expm1(log_return)
    return _skill(np.expm1(expected) - actual, actual)


def brier_skill(probability: FloatArray, outcome: FloatArray, base_rate: FloatArray) -> float:
    """Against the base rate that was known, of shape (n,) like all."""
    return _skill(probability - outcome, base_rate - outcome)


def _skill(errors: FloatArray, naive_errors: FloatArray) -> float:
    naive = float(np.sum(naive_errors**2))
    return 1 - float(np.sum(errors**2)) / naive if naive > 0 else float("nan")
