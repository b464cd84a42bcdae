"""How good forecasts were: yes-or-no forecasts, intervals, and what chance alone would do."""
