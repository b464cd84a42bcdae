"""Levels of the prediction intervals, in percent."""

LEVELS = (80, 95, 99)
