"""What changes models: training, judging, promoting, forecasting with them."""
