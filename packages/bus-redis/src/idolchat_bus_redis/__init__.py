"""Brings messages between idolchat servers through Redis or Valkey."""

from idolchat_bus_redis.settings import RedisSettings

__all__ = ["RedisSettings"]
