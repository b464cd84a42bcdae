"""Metrics of forecasts: classification, intervals, skill, significance tests."""
