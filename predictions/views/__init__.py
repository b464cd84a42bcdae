"""Server-rendered pages of forecasts, track record and models.

Imported by predictions.urls; renders selectors, contains no rule.
"""
