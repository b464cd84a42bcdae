"""Names of all features, in the order of the last axis, each with the description shown next to a forecast."""

FEATURE_SET = "hc3"

OWN_DIRECTION = {
    "r_lag0": "the last trading day's return",
    "r_lag1": "the return one trading day earlier",
    "r_lag2": "the return two trading days earlier",
    "r_lag3": "the return three trading days earlier",
    "r_lag4": "the return four trading days earlier",
    "ret_5": "the return over a week",
    "ret_10": "the return over two weeks",
    "ret_21": "the return over a month",
    "ret_63": "the return over a quarter",
    "ret_126": "the return over half a year",
    "mom_12_1": "12-month return excluding the last month",
    "vol_5_63": "this week's volatility relative to the quarter's",
    "vol_21_252": "this month's volatility relative to the year's",
    "semivol": "the share of the month's volatility due to falls",
    "rsi_14": "relative strength (RSI, 14 days)",
    "macd_hist": "MACD histogram (trend change)",
    "bb_pctb": "the position within the Bollinger bands",
    "sma_50": "the distance from the 50-day average",
    "sma_200": "the distance from the 200-day average",
}
RELATIVE_DIRECTION = {
    "idio_5": "the week's return in excess of the market's",
    "rank_ret_1": "the rank of the last trading day's return among the tracked stocks",
    "rank_ret_5": "the rank of the week's return among the tracked stocks",
    "rank_ret_21": "the rank of the month's return among the tracked stocks",
    "rank_mom": "the rank of the year's return among the tracked stocks",
    "rank_vol": "the rank of volatility among the tracked stocks",
    "rank_change_1": "the rank of the last trading day's price change among the tracked stocks",
    "rank_change_5": "the rank of the week's price change among the tracked stocks",
    "rank_change_21": "the rank of the month's price change among the tracked stocks",
    "rank_change_63": "the rank of the quarter's price change among the tracked stocks",
    "rank_change_mom": "the rank of the 12-month price change excluding the last month, among the tracked stocks",
}
OWN_VOLATILITY = {
    "log_rv_1": "the size of the last trading day's move",
    "log_rv_5": "volatility over a week",
    "log_rv_10": "volatility over two weeks",
    "log_rv_20": "volatility over 20 trading days",
    "log_rv_21": "volatility over a month",
    "log_rv_63": "volatility over a quarter",
    "log_rv_252": "volatility over a year",
    "log_gk_1": "the last trading day's price range",
    "log_gk_5": "the week's price ranges",
    "log_gk_21": "the month's price ranges",
    "own_ret_1": "the last trading day's return",
    "own_ret_5": "the return over a week",
    "drawdown_252": "the fall from the year's highest close",
}
MARKET_VOLATILITY = {
    "market_vol": "the market's volatility",
    "market_vol_ratio": "the market's this week's volatility relative to the quarter's",
    "market_ret_5": "the market's return over a week",
}
NEWS = {
    "news_score": "the day's news sentiment",
    "news_surprise": "the day's news sentiment relative to the quarter's",
    "news_count": "the number of articles that day",
    "news_any": "whether there was any news",
}
DESCRIPTIONS = OWN_DIRECTION | RELATIVE_DIRECTION | OWN_VOLATILITY | MARKET_VOLATILITY | NEWS

OWN_DIRECTION_NAMES = tuple(OWN_DIRECTION)
RELATIVE_DIRECTION_NAMES = tuple(RELATIVE_DIRECTION)
OWN_VOLATILITY_NAMES = tuple(OWN_VOLATILITY)
MARKET_VOLATILITY_NAMES = tuple(MARKET_VOLATILITY)
NEWS_NAMES = tuple(NEWS)
CHANGE_NAMES = tuple(name for name in RELATIVE_DIRECTION if name.startswith("rank_change"))
DIRECTION_NAMES = OWN_DIRECTION_NAMES + RELATIVE_DIRECTION_NAMES
VOLATILITY_NAMES = OWN_VOLATILITY_NAMES + MARKET_VOLATILITY_NAMES
