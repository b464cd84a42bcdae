"""Data-quality rules for bars and quotes.

Rejects what cannot be a market price; never repairs it. Pure: no clock, no database.
Imported by `marketdata.services`; `marketdata.quality.columns` also by `mlops.panel_files`.
"""
