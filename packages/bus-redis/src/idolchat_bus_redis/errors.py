"""What the client raises, in the words of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ClusterError,
    NoPermissionError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)

from idolchat_bus_redis.settings import VARIABLE
from idolchat_core import BrokerLost, ConfigurationError

__all__ = ["told"]

_PASSING = (BusyLoadingError, ReadOnlyError, ClusterDownError, ClusterError, TryAgainError, RedisClusterException)


@contextmanager
def told(where: str) -> Iterator[None]:
    """Raise ``BrokerLost`` for what may pass, and ``ConfigurationError`` for what no waiting mends."""
    try:
        yield
    except (AuthenticationError, AuthorizationError) as error:
        raise ConfigurationError(
            f"the Redis at {where} does not let idolchat in: {error}; write its user and password into {VARIABLE}"
        ) from None
    except NoPermissionError as error:
        raise ConfigurationError(
            f"the Redis at {where} does not allow its user of {VARIABLE} what the bus needs: {error}; it needs"
            " &idolchat:* +@connection +@pubsub, and +cluster|slots +cluster|shards in a cluster"
        ) from None
    except _PASSING as error:
        raise BrokerLost(f"the Redis at {where} cannot serve now: {error}") from None
    except ResponseError as error:
        raise ConfigurationError(
            f"the Redis at {where} ({VARIABLE}) answers: {error}; the bus needs Redis 6.2 or newer, 7 in a cluster,"
            " or a Valkey"
        ) from None
    except (RedisError, OSError) as error:
        raise BrokerLost(f"the Redis at {where} ({VARIABLE}) cannot be reached: {error}") from None
