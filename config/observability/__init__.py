"""Logging, error reporting, metrics and health checks.

Imported by the settings and by process entry points; never by an app.
"""
