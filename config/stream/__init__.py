"""The one socket: each app's `live.py` is a channel of it. The consumer forwards and never computes."""
