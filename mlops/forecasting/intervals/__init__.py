"""Prediction intervals: HAR volatility and conformal calibration.

Imported by mlops.forecasting; pure.
"""
