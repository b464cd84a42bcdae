"""The 23 compared columns in common implementations: TA-Lib per symbol, and pandas group-by.

Both get sorted bars without gaps. TA-Lib has no exponential mean with a weight of 0.06, so its volatility uses the
nearest span, 32 sessions.
"""

import numpy as np
import pandas as pd
import talib

SPANS = (5, 10, 21, 63, 126)
WINDOWS = (5, 21, 63, 252)
FLOOR = 5e-4


def talib_columns(close, out):
    """Fill the columns with TA-Lib. close: (m, n), one row per symbol; out: float64 (m, n, 23)."""
    for symbol in range(len(close)):
        price, cell = close[symbol], out[symbol]
        level = talib.LN(price)
        move = talib.MOM(level, timeperiod=1)
        square = talib.MULT(move, move)
        sigma = np.maximum(np.sqrt(talib.EMA(square, timeperiod=32)), FLOOR)
        scaled = move / sigma
        for lag in range(5):
            cell[lag:, lag] = move[: len(move) - lag] / sigma[lag:]
            cell[:lag, lag] = np.nan
        cell[:, 0] = scaled
        for place, span in enumerate(SPANS):
            cell[:, 5 + place] = talib.MOM(level, timeperiod=span) / (sigma * np.sqrt(span))
        cell[21:, 10] = talib.MOM(level, timeperiod=231)[:-21] / (sigma[21:] * np.sqrt(231))
        cell[:21, 10] = np.nan
        variances = [talib.LN(np.maximum(talib.SMA(square, timeperiod=window), FLOOR**2)) for window in WINDOWS]
        cell[:, 11] = (variances[0] - variances[2]) / 2
        cell[:, 12] = (variances[1] - variances[3]) / 2
        falls = talib.SUM(np.minimum(move, 0.0) ** 2, timeperiod=21)
        cell[:, 13] = falls / talib.SUM(square, timeperiod=21)
        cell[:, 14] = talib.RSI(price, timeperiod=14) / 50 - 1
        cell[:, 15] = talib.MACD(price)[2] / (price * sigma)
        upper, _, lower = talib.BBANDS(price, timeperiod=20, nbdevup=2, nbdevdn=2)
        cell[:, 16] = (price - lower) / (upper - lower)
        cell[:, 17] = talib.LN(price / talib.SMA(price, timeperiod=50)) / (sigma * np.sqrt(50))
        cell[:, 18] = talib.LN(price / talib.SMA(price, timeperiod=200)) / (sigma * np.sqrt(200))
        for place, variance in enumerate(variances):
            cell[:, 19 + place] = variance


def pandas_columns(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the 23 columns of `bars`, which has columns symbol and close, ordered by symbol and session."""
    bars = bars.assign(level=np.log(bars["close"]))
    by_symbol = bars.groupby("symbol", sort=False)
    bars = bars.assign(move=by_symbol["level"].diff(), change=by_symbol["close"].diff())
    bars = bars.assign(
        square=bars["move"] ** 2,
        fall=np.minimum(bars["move"], 0.0) ** 2,
        up=bars["change"].clip(lower=0),
        down=(-bars["change"]).clip(lower=0),
    )
    by_symbol = bars.groupby("symbol", sort=False)
    sigma = np.sqrt(_ewm(by_symbol["square"], 0.06)).clip(lower=FLOOR)
    columns = {f"r_lag{lag}": by_symbol["move"].shift(lag) / sigma for lag in range(5)}
    for span in SPANS:
        columns[f"ret_{span}"] = by_symbol["level"].diff(span) / (sigma * np.sqrt(span))
    year = by_symbol["level"].shift(21) - by_symbol["level"].shift(252)
    columns["mom_12_1"] = year / (sigma * np.sqrt(231))
    variances = {span: np.log(_rolling(by_symbol["square"], span).clip(lower=FLOOR**2)) for span in WINDOWS}
    columns["vol_5_63"] = (variances[5] - variances[63]) / 2
    columns["vol_21_252"] = (variances[21] - variances[252]) / 2
    columns["semivol"] = _rolling(by_symbol["fall"], 21) / _rolling(by_symbol["square"], 21)
    gains, losses = _ewm(by_symbol["up"], 1 / 14), _ewm(by_symbol["down"], 1 / 14)
    columns["rsi_14"] = 2 * gains / (gains + losses) - 1
    macd = _ewm(by_symbol["close"], 2 / 13) - _ewm(by_symbol["close"], 2 / 27)
    signal = _ewm(macd.groupby(bars["symbol"], sort=False), 0.2)
    columns["macd_hist"] = (macd - signal) / (bars["close"] * sigma)
    mean, width = _rolling(by_symbol["close"], 20), by_symbol["close"].rolling(20).std(ddof=0).droplevel(0)
    columns["bb_pctb"] = 0.5 + (bars["close"] - mean) / (4 * width)
    for span in (50, 200):
        columns[f"sma_{span}"] = np.log(bars["close"] / _rolling(by_symbol["close"], span)) / (sigma * np.sqrt(span))
    columns |= {f"log_rv_{span}": variance for span, variance in variances.items()}
    return pd.DataFrame(columns)


def _ewm(grouped, weight):
    return grouped.ewm(alpha=weight, adjust=False).mean().droplevel(0)


def _rolling(grouped, window):
    return grouped.rolling(window).mean().droplevel(0)
