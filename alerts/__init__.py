"""Alert rules, alerts and their delivery."""
