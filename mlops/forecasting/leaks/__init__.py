"""Tests for look-ahead bias; every check also runs on planted leaks.

Imported by the `check_leaks` command and tests.
"""

from mlops.forecasting.leaks.check_results import CheckResult, Leak
from mlops.forecasting.leaks.feature_functions import FeatureFunction, FeatureTable
from mlops.forecasting.leaks.news_checks import Article, NewsReader
from mlops.forecasting.leaks.runner import CheckedFunctions, run_all_checks

__all__ = [
    "Article",
    "CheckResult",
    "CheckedFunctions",
    "FeatureFunction",
    "FeatureTable",
    "Leak",
    "NewsReader",
    "run_all_checks",
]
