"""Sentiment of texts: lexicon and FinBERT scorers, matching to companies, daily aggregation."""
