"""A plain phrase for every feature, as it is shown beside a forecast."""

WORDS: dict[str, str] = {
    "r_lag0": "the last session's return",
    "r_lag1": "the return one session earlier",
    "r_lag2": "the return two sessions earlier",
    "r_lag3": "the return three sessions earlier",
    "r_lag4": "the return four sessions earlier",
    "ret_5": "the return over a week",
    "ret_10": "the return over two weeks",
    "ret_21": "the return over a month",
    "ret_63": "the return over a quarter",
    "ret_126": "the return over half a year",
    "mom_12_1": "the return over a year, without the last month",
    "vol_5_63": "volatility this week against the quarter's",
    "vol_21_252": "volatility this month against the year's",
    "semivol": "the share of the month's volatility that came from falls",
    "rsi_14": "relative strength (RSI, 14 sessions)",
    "macd_hist": "the turn of the trend (MACD histogram)",
    "bb_pctb": "the place within the Bollinger bands",
    "sma_50": "the distance from the 50-session average",
    "sma_200": "the distance from the 200-session average",
    "idio_5": "the week's return beyond the market's",
    "rank_ret_1": "the rank of the last session's return among the stocks followed",
    "rank_ret_5": "the rank of the week's return among the stocks followed",
    "rank_ret_21": "the rank of the month's return among the stocks followed",
    "rank_mom": "the rank of the year's return among the stocks followed",
    "rank_vol": "the rank of volatility among the stocks followed",
    "log_rv_1": "the size of the last session's move",
    "log_rv_5": "volatility over a week",
    "log_rv_21": "volatility over a month",
    "log_rv_63": "volatility over a quarter",
    "log_rv_252": "volatility over a year",
    "log_gk_1": "the last session's price range",
    "log_gk_5": "the week's price ranges",
    "log_gk_21": "the month's price ranges",
    "market_vol": "the market's volatility",
    "market_vol_ratio": "the market's volatility this week against the quarter's",
    "market_ret_5": "the market's return over a week",
    "own_ret_1": "the last session's return",
    "own_ret_5": "the return over a week",
    "drawdown_252": "the fall from the year's highest close",
}


def words_for(feature_name: str) -> str:
    """The phrase for a feature. Raises KeyError for a name that is not in the feature set."""
    return WORDS[feature_name]
