"""Writes of alerts: rules, evaluation, delivery."""
