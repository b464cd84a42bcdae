"""Prediction intervals: HAR volatility and conformal calibration."""
