"""Settings modules (base, local, production, test) and the readers of environment variables.

Loaded by Django. Apps receive frozen settings objects and do not import this package.
"""
