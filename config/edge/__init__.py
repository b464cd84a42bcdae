"""ASGI process that serves cached forecasts without Django and hands every other request to Django.

`asgi.py` is the entry point. Nothing but process configuration imports this package.
"""
