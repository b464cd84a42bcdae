"""Witnesses: where signed ledger heads are published outside the database.

Imported by services; each implements `base.Witness`.
"""
