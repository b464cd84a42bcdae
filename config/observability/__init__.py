"""Logging, error reporting, metrics and health checks."""
