"""Numerics of forecasting: features, models, intervals, metrics, backtests.

Imports no Django, database, network or clock; imported by mlops and predictions.
"""
