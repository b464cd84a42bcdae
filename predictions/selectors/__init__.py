"""Reads of forecasts, history, metrics, ledger and page contents.

Imported by API, views, services and alerts; never writes.
"""
