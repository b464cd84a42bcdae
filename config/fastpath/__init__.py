"""The one call of the API that `edge` answers by itself, and the way into Django for whatever is unusual about it."""
