"""What is read of forecasts and their outcomes."""
