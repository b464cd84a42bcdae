"""Readers of daily prices and news from files, for evaluation without a database.

Imported by the commands `evaluate` and `check_leaks`.
"""

from mlops.panel_files.news import NewsFile, add_news
from mlops.panel_files.panels import PanelFile, read_panel

__all__ = ["NewsFile", "PanelFile", "add_news", "read_panel"]
