"""One module per command: predict, publish, hindcast, verify_ledger, export_ledger, ledger_key, rebuild_accuracy.

Loaded by Django by name; imported by no other package.
"""
