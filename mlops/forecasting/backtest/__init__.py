"""Walk-forward judging: fits that know only the past, their forecasts of what came next, and how good they were."""
