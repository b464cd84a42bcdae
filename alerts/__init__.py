"""Alert rules, alerts and their delivery.

Imported only by config; imports predictions, accounts, mlops, marketdata and store.
"""
