"""Cached forecast responses: rendering, storage and lookup."""
