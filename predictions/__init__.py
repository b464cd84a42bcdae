"""Forecasts, outcomes, accuracy, the ledger and their pages and API.

Imported by alerts and config; imports accounts, mlops, marketdata and store.
"""
