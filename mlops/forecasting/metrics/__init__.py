"""Metrics of forecasts: classification, intervals, skill, significance tests.

Imported by mlops.forecasting and mlops.services; pure.
"""
