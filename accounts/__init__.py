"""Users: sign-in, tokens, API keys, plans, limits, usage and audit.

Imported by predictions, alerts and config; imports only marketdata and store.
"""
