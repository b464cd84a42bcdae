"""One module per command: predict, publish, hindcast, verify_ledger, ledger_key, export_ledger, rebuild_accuracy."""
