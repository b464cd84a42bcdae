"""Ensemble members: LSTM, XGBoost, logistic regression.

Imported through `catalog.py`, which loads torch and xgboost lazily in workers.
"""
