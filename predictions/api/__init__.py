"""REST endpoints for forecasts, batches, track record and ledger."""
