"""What texts about companies say: scoring, matching, joining and dating them. No HTTP, no database."""
