"""REST endpoints for forecasts, batches, track record and ledger.

Imported by `config.urls`; imports readpath, services and selectors.
"""
