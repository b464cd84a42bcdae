"""Sessions in the database with a copy in the cache, which may be away, for keys that could be one of ours."""

import re
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import cached_db, db
from redis.exceptions import RedisError

from accounts.key_table import tell_change
from store.client import store_breaker

_KEY = re.compile(r"[a-z0-9]{8,40}")


class SessionStore(cached_db.SessionStore):
    """A key that we cannot have given out, whatever is in it, is no session; no store is asked for it."""

    def load(self) -> dict[str, Any]:
        """What the session holds; read from the database alone while the cache does not answer."""
        try:
            with store_breaker():
                return dict(super().load())
        except RedisError:
            return dict(db.SessionStore.load(self))

    def flush(self) -> None:
        """End the session, and tell every process whose it was."""
        user_id = self.get(SESSION_KEY)
        super().flush()
        if user_id is not None:
            tell_change(int(user_id))

    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key and _KEY.fullmatch(key))
