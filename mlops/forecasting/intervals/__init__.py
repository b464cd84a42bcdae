"""How far a price may be from its forecast: volatility, and bands that held in the past."""
