"""Names of this app's background work."""

PUBLISH = "predictions.publish"
SCORE = "predictions.score"
