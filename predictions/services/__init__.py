"""Writes of forecasts: publishing, scoring, accuracy, ledger, batches, replay.

Imported by commands, tasks, API and config.pipelines; one transaction per call.
"""
