"""Panels of daily bars from a file, for judging models without a database."""

from mlops.panel_files.news import NewsFile, with_news
from mlops.panel_files.panels import PanelFile, read_panel

__all__ = ["NewsFile", "PanelFile", "read_panel", "with_news"]
