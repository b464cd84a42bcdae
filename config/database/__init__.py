"""Database engine for the settings: Django's PostgreSQL backend behind a circuit breaker.

Loaded by Django through `DATABASES["default"]["ENGINE"]`.
"""
