"""Walk-forward evaluation and its reports."""
