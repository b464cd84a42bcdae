"""The pages: stocks, the record, model versions."""
