"""Names of all features, in the order of the last axis."""

FEATURE_SET = "hc3"

OWN_DIRECTION_NAMES: tuple[str, ...] = (
    "r_lag0",
    "r_lag1",
    "r_lag2",
    "r_lag3",
    "r_lag4",
    "ret_5",
    "ret_10",
    "ret_21",
    "ret_63",
    "ret_126",
    "mom_12_1",
    "vol_5_63",
    "vol_21_252",
    "semivol",
    "rsi_14",
    "macd_hist",
    "bb_pctb",
    "sma_50",
    "sma_200",
)
RELATIVE_DIRECTION_NAMES: tuple[str, ...] = (
    "idio_5",
    "rank_ret_1",
    "rank_ret_5",
    "rank_ret_21",
    "rank_mom",
    "rank_vol",
    "rank_change_1",
    "rank_change_5",
    "rank_change_21",
    "rank_change_63",
    "rank_change_mom",
)
OWN_VOLATILITY_NAMES: tuple[str, ...] = (
    "log_rv_1",
    "log_rv_5",
    "log_rv_10",
    "log_rv_20",
    "log_rv_21",
    "log_rv_63",
    "log_rv_252",
    "log_gk_1",
    "log_gk_5",
    "log_gk_21",
    "own_ret_1",
    "own_ret_5",
    "drawdown_252",
)
MARKET_VOLATILITY_NAMES: tuple[str, ...] = (
    "market_vol",
    "market_vol_ratio",
    "market_ret_5",
)

CHANGE_NAMES = tuple(name for name in RELATIVE_DIRECTION_NAMES if name.startswith("rank_change"))
DIRECTION_NAMES = OWN_DIRECTION_NAMES + RELATIVE_DIRECTION_NAMES
VOLATILITY_NAMES = OWN_VOLATILITY_NAMES + MARKET_VOLATILITY_NAMES
