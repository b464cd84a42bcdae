"""Stream channels for forecasts and jobs.

Imported by config.stream and predictions.services; messages are sent after commit.
"""
