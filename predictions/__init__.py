"""Forecasts, outcomes, accuracy, the ledger and their pages and API."""
