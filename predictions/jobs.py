"""Names of this app's background work."""

PUBLISH = "predictions.publish"
ANNOUNCE = "predictions.announce"
SCORE = "predictions.score"
