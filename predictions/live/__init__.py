"""Stream channels for forecasts and jobs."""
