"""Sessions in the database with a copy in the cache; they outlive an outage of the cache."""

import re
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import cached_db, db
from redis.exceptions import RedisError

from accounts.credential_cache import publish_invalidation
from store.client import store_breaker

_KEY = re.compile(r"[a-z0-9]{8,40}")


class SessionStore(cached_db.SessionStore):
    """Refuses keys that Django cannot have generated without a look-up."""

    def load(self) -> dict[str, Any]:
        """Return the session's data; from the database alone while the cache is down."""
        try:
            with store_breaker():
                return dict(super().load())
        except RedisError:
            return dict(db.SessionStore.load(self))

    def flush(self) -> None:
        """End the session and invalidate the user's credentials in every process."""
        user_id = self.get(SESSION_KEY)
        super().flush()
        if user_id is not None:
            publish_invalidation(int(user_id))

    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key and _KEY.fullmatch(key))
