"""Composition root: puts the apps together and contains no domain rule.

Imports every app; no app imports it. `pipelines.py` shows the data flow and `beat.py` the schedule.
"""
