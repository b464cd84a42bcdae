"""What is done with rules and alerts."""
