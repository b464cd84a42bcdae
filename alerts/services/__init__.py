"""Writes of alerts: rules, evaluation, delivery.

Imported by views, tasks and config.pipelines; one transaction per call.
"""
