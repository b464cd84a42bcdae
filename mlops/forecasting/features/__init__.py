"""Features of a panel, known at the close of each session.

Imported by mlops.forecasting and mlops.dataset; computed by compiled kernels.
"""

from mlops.forecasting.features.cube import FeatureCube, build_features, warm_up
from mlops.forecasting.features.registry import DIRECTION_NAMES, FEATURE_SET, VOLATILITY_NAMES

__all__ = ["DIRECTION_NAMES", "FEATURE_SET", "VOLATILITY_NAMES", "FeatureCube", "build_features", "warm_up"]
