"""The WebSocket endpoint: authentication, subscriptions, fan-out. Each app's `live.py` defines one channel.

Imported by `config.edge`; it forwards messages and never computes.
"""
