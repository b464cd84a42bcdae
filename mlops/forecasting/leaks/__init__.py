"""Tests for look-ahead bias; every check also runs on planted leaks.

Imported by the `check_leaks` command and tests.
"""

from mlops.forecasting.leaks.gate import Suspects, check_all
from mlops.forecasting.leaks.makers import FeatureMaker, FeatureTable
from mlops.forecasting.leaks.news_checks import Article, NewsReader
from mlops.forecasting.leaks.verdicts import Leak, Verdict

__all__ = ["Article", "FeatureMaker", "FeatureTable", "Leak", "NewsReader", "Suspects", "Verdict", "check_all"]
