"""What changes stored market data."""
