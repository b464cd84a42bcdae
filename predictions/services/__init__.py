"""Writes of forecasts: publishing, scoring, accuracy, ledger, batches, replay."""
