"""Constants that define features, shared by the kernels and their oracle in the tests."""

import numpy as np

SIGMA_FLOOR = 5e-4
EWMA_WEIGHT = 0.06
EWMA_SEED_SESSIONS = 21
GARMAN_KLASS_BODY = 2 * np.log(2) - 1
MACD_FAST, MACD_SLOW, MACD_SIGNAL = 12, 26, 9
# Below this share of the mean, a Bollinger deviation counts as zero.
FLAT = 1e-7
# Price changes are ranked in whole billionths, so that equal changes tie in spite of rounding.
CHANGE_STEPS = 1e9
