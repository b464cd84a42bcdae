"""Cached forecast responses: rendering, storage and lookup.

Imported by predictions.api, predictions.services and config.edge.
"""
