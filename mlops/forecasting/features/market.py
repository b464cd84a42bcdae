"""Features of the equally weighted market, computed from its mean return in each session."""

import numpy as np

from mlops.forecasting.features.kernels_closing import fill_closing
from mlops.forecasting.features.registry import OWN_DIRECTION_NAMES, VOLATILITY_NAMES
from mlops.forecasting.types import FloatArray


def market_columns(mean_return: FloatArray) -> dict[str, FloatArray]:
    """Volatility, its change and the weekly return of the market, each of shape (n, 1), by the kernels of one stock.

    mean_return: shape (n, 1), NaN where no instrument has a return; such sessions shorten no window.
    """
    known = np.isfinite(mean_return[:, 0])
    close = np.full((len(known) + 1, 1), np.nan)
    close[0], close[1:][known] = 1.0, np.exp(np.cumsum(mean_return[known], axis=0))
    direction, volatility = (np.empty((1, len(close), len(names))) for names in (OWN_DIRECTION_NAMES, VOLATILITY_NAMES))
    sigma, returns = np.empty((1, len(close))), np.empty((1, len(close)))
    fill_closing(close, (direction, volatility, sigma, returns))
    own = dict(zip(OWN_DIRECTION_NAMES, np.moveaxis(direction, 2, 0), strict=True))
    market = {"market_vol": np.log(sigma), "market_vol_ratio": own["vol_5_63"], "market_ret_5": own["ret_5"]}
    return {name: values[0, 1:, None] for name, values in market.items()}
