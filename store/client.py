"""Redis clients behind a circuit breaker: `redis_client()` for threads, `async_redis_client()` for an event loop.

Both give up after half a second and raise RedisError. After a failure the breaker refuses calls for a second, so that
an outage costs one caller the timeout and not all of them. The server is `REDIS_CLUSTER_URL` where that is set, which
may be any node of a Redis Cluster, else `REDIS_URL`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeAlias

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from redis import Redis, RedisCluster
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from store.circuit_breaker import CircuitBreaker

TIMEOUT_S = 0.5
# An idle connection may turn out to be closed, so one retry is worth it.
RETRIES = 1

# Redis or RedisCluster. redis-py types every reply of both as perhaps awaitable, which no caller could use.
Client: TypeAlias = Any
AsyncClient: TypeAlias = Any


class StoreUnavailable(RedisConnectionError):
    """Redis failed to answer a moment ago, so it was not asked."""

    def __init__(self, detail: str = "Redis did not answer a moment ago.") -> None:
        super().__init__(detail)


@contextmanager
def _calling(breaker: CircuitBreaker) -> Iterator[None]:
    """Make a call through the breaker; raises RedisError for failures of a cluster too."""
    with breaker:
        try:
            yield
        except RedisClusterException as error:
            raise StoreUnavailable(str(error)) from error


class _Guarded:
    """Synchronous commands and pipelines through the breaker of their server."""

    breaker: CircuitBreaker

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with _calling(self.breaker):
            return super().execute_command(*args, **options)  # type: ignore[misc]  # of the client mixed in

    def pipeline(self, transaction: bool = False, shard_hint: str | None = None) -> Any:
        made = super().pipeline(transaction, shard_hint)  # type: ignore[misc]  # of the client mixed in
        execute: Callable[..., list[Any]] = made.execute

        def guarded_execute(raise_on_error: bool = True) -> list[Any]:
            with _calling(self.breaker):
                return execute(raise_on_error)

        made.execute = guarded_execute
        return made


class _GuardedAsync:
    """The same for an event loop."""

    breaker: CircuitBreaker

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        with _calling(self.breaker):
            return await super().execute_command(*args, **options)  # type: ignore[misc]  # of the client mixed in

    def pipeline(self, transaction: bool = False, shard_hint: str | None = None) -> Any:
        made = super().pipeline(transaction, shard_hint)  # type: ignore[misc]  # of the client mixed in
        execute: Callable[..., Any] = made.execute

        async def guarded_execute(raise_on_error: bool = True) -> list[Any]:
            with _calling(self.breaker):
                result: list[Any] = await execute(raise_on_error)
                return result

        made.execute = guarded_execute
        return made


class _ServerClient(_Guarded, Redis): ...


class _ClusterClient(_Guarded, RedisCluster):
    def __init__(self, breaker: CircuitBreaker, **options: Any) -> None:
        # The base class sends commands while it is made.
        self.breaker = breaker
        super().__init__(**options)


class _AsyncServerClient(_GuardedAsync, AsyncRedis): ...  # type: ignore[misc]  # redis-py's own bases disagree


class _AsyncClusterClient(_GuardedAsync, AsyncRedisCluster): ...  # type: ignore[misc]  # redis-py's own bases disagree


@lru_cache(maxsize=1)
def store_url() -> str:
    """Return the URL of the server, or of one node of the cluster."""
    return str(settings.HINDCAST_SITE.store_url)


@lru_cache(maxsize=1)
def is_cluster() -> bool:
    """Return whether the store is a Redis Cluster, in which one script may touch the keys of one hash tag only."""
    return bool(settings.HINDCAST_SITE.redis_cluster_url)


@receiver(setting_changed)
def _forget_settings(**_: Any) -> None:
    store_url.cache_clear()
    is_cluster.cache_clear()


def database_number(url: str) -> int:
    """Return the number of the database. Channel names contain it, because PUBLISH reaches all databases."""
    return int(parse_url(url).get("db", 0))


def store_breaker() -> CircuitBreaker:
    """Return the breaker of the synchronous client, for callers that reach the same server in another way."""
    return _breaker_at(store_url())


def redis_client() -> Client:
    """Return this process's synchronous client. Threads share it. Raises RedisError while a cluster is unreachable."""
    return _client_at(store_url(), is_cluster())


def async_redis_client(url: str, *, cluster: bool = False) -> AsyncClient:
    """Return a new asynchronous client; its event loop closes it with `aclose()`."""
    made: Any
    limits: dict[str, Any] = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
    if cluster:
        made = _AsyncClusterClient.from_url(url, **limits)
    else:
        made = _AsyncServerClient.from_url(url, retry=AsyncRetry(NoBackoff(), RETRIES), **limits)
    made.breaker = _new_breaker()
    return made


def _new_breaker() -> CircuitBreaker:
    failures = (RedisConnectionError, RedisTimeoutError, RedisClusterException, OSError)
    return CircuitBreaker(failures=failures, refusal=StoreUnavailable)


@lru_cache(maxsize=8)
def _breaker_at(url: str) -> CircuitBreaker:
    return _new_breaker()


@lru_cache(maxsize=8)
def _client_at(url: str, cluster: bool) -> Client:
    limits: dict[str, Any] = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
    if cluster:
        with _calling(_breaker_at(url)):
            return _ClusterClient(_breaker_at(url), url=url, **limits)
    made: Any = _ServerClient.from_url(url, retry=Retry(NoBackoff(), RETRIES), **limits)
    made.breaker = _breaker_at(url)
    return made
