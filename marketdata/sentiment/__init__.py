"""Sentiment of texts: lexicon and FinBERT scorers, matching to companies, daily aggregation.

Imported by marketdata.services; pure, without HTTP and database.
"""
