"""Benchmarks of the intervals: GARCH(1,1) with Gaussian shocks and constant sigma, fitted per stock."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from arch import arch_model
from scipy.signal import lfilter

from mlops.forecasting.types import FloatArray

FEWEST_RETURNS = 250
MOST_ITERATIONS = 100
PERCENT = 100.0
STARTING_WEIGHTS = ((0.05, 0.90), (0.03, 0.95), (0.15, 0.70))
FALLBACK_WEIGHTS = (0.06, 0.93)


@dataclass(frozen=True, slots=True)
class Garch:
    """sigma2[t + 1] = omega + alpha * (r[t] - mean)^2 + beta * sigma2[t], of one stock's log returns.

    variance: of the returns that it was fitted on, where the recursion starts.
    """

    variance: float
    mean: float
    omega: float
    alpha: float
    beta: float
    converged: bool = True

    @classmethod
    def fit(cls, returns: FloatArray) -> "Garch":
        """Fit by maximum likelihood on returns, oldest first, shape (n,).

        If no starting point converges, alpha and beta are .06 and .93 around the sample variance.
        """
        scaled = PERCENT * returns
        variance = max(float(scaled.var()), 1e-8)
        if np.ptp(scaled) > 0:
            for alpha, beta in STARTING_WEIGHTS:
                found = _fitted(scaled, (float(scaled.mean()), variance * (1 - alpha - beta), alpha, beta))
                if found is not None:
                    return found
        alpha, beta = FALLBACK_WEIGHTS
        omega = variance * (1 - alpha - beta) / PERCENT**2
        return cls(variance / PERCENT**2, float(returns.mean()), omega, alpha, beta, converged=False)

    def next_variances(self, returns: FloatArray) -> FloatArray:
        """Return the variance of the return after each of `returns`, shape (n,), from the first fitted return."""
        shocks = self.omega + self.alpha * (returns - self.mean) ** 2
        start = np.array([self.beta * self.variance])
        variances: FloatArray = lfilter([1.0], [1.0, -self.beta], shocks, zi=start)[0]
        return variances

    def summed_variances(self, next_variances: FloatArray, horizons: Sequence[int]) -> FloatArray:
        """Return the variance over each horizon, shape (n, h), from that of the next session, shape (n,)."""
        coming = next_variances
        summed, by_session = np.zeros_like(coming), []
        for _ in range(max(horizons)):
            summed = summed + coming
            by_session.append(summed)
            coming = self.omega + (self.alpha + self.beta) * coming
        return np.stack([by_session[horizon - 1] for horizon in horizons], axis=1)


def _fitted(scaled: FloatArray, start: tuple[float, float, float, float]) -> Garch | None:
    """Fit returns in percent; None if the optimiser does not converge."""
    model = arch_model(scaled, mean="Constant", vol="GARCH", p=1, q=1, dist="normal", rescale=False)
    options = {"maxiter": MOST_ITERATIONS}
    found = model.fit(disp="off", show_warning=False, starting_values=np.array(start), options=options)
    mean, omega, alpha, beta = (float(value) for value in found.params)
    sound = np.isfinite([mean, omega, alpha, beta]).all() and omega >= 0 and alpha >= 0 and 0 <= beta < 1
    if found.convergence_flag != 0 or not sound:
        return None
    return Garch(float(scaled.var()) / PERCENT**2, mean / PERCENT, omega / PERCENT**2, alpha, beta)


@dataclass(frozen=True, slots=True)
class Benchmarks:
    """Centre and standard deviation of the log return over each horizon, shape (rows, m, h), for consecutive sessions.

    NaN where a stock had fewer than 250 returns when the benchmarks were fitted, and where it has no bar. failures: the
    stocks whose GARCH did not converge.
    """

    garch_centre: FloatArray
    garch_sigma: FloatArray
    constant_centre: FloatArray
    constant_sigma: FloatArray
    failures: int


def benchmarks_of(close: FloatArray, *, first: int, end: int, horizons: Sequence[int]) -> Benchmarks:
    """Fit both on the sessions before row `first` of `close`, shape (n, m), and filter them through row end - 1.

    Returns are from bar to bar. Parameters stay fixed; variances use the returns up to each row.
    """
    shape = (end - first, close.shape[1], len(horizons))
    filled = {
        name: np.full(shape, np.nan) for name in ("garch_centre", "garch_sigma", "constant_centre", "constant_sigma")
    }
    failures = 0
    spans = np.array(horizons, dtype=np.float64)
    for column in range(close.shape[1]):
        rows = np.flatnonzero(np.isfinite(close[:end, column]))
        returns = np.diff(np.log(close[rows, column]))
        rows = rows[1:]
        known = returns[rows < first]
        if len(known) < FEWEST_RETURNS:
            continue
        model = Garch.fit(known)
        failures += not model.converged
        ahead = rows >= first
        bar_rows = rows[ahead] - first
        variances = model.next_variances(returns)[ahead]
        filled["garch_centre"][bar_rows, column] = model.mean * spans
        filled["garch_sigma"][bar_rows, column] = np.sqrt(model.summed_variances(variances, horizons))
        filled["constant_centre"][bar_rows, column] = known.mean() * spans
        filled["constant_sigma"][bar_rows, column] = known.std() * np.sqrt(spans)
    return Benchmarks(failures=failures, **filled)
