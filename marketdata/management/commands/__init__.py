"""One module per command: ingest, import_bars, find_symbol, ingest_news, score_texts.

Loaded by Django by name; imported by no other package.
"""
