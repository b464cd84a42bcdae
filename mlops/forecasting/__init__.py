"""The numerics of forecasting: pure functions and frozen objects; no web, no database, no network, no clock."""
