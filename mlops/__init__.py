"""Training, evaluation, versions and promotion of models.

Imported by predictions, alerts and config; imports only marketdata and store.
"""
