"""Services: the functions that write market data.

Each call is one transaction and idempotent unless its docstring says otherwise.
Imported by commands, tasks, admin actions and higher apps.
"""
