"""Panels of daily bars from a file, for judging models without a database."""

from mlops.panel_files.panels import PanelFile, read_panel

__all__ = ["PanelFile", "read_panel"]
