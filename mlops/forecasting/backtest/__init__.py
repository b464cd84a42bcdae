"""Walk-forward evaluation and its reports.

Imported by mlops.services and commands; pure.
"""
