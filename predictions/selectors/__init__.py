"""Reads of forecasts, history, metrics, ledger and page contents."""
