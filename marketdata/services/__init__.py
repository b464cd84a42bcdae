"""Writes of market data: ingestion, import, quotes, news, health of sources.

Imported by commands, tasks, admin and higher apps; one transaction per call.
"""
