"""Server-rendered pages of forecasts, track record and models."""
