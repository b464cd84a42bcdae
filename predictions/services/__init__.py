"""What changes forecasts and their outcomes."""
