"""How often an interval has to hold, in percent."""

LEVELS = (80, 95, 99)
