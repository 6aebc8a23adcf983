"""What the fixture ``new_key`` gives."""

from collections.abc import Awaitable, Callable

__all__ = ["NewKey"]

type NewKey = Callable[..., Awaitable[dict[str, str]]]
"""Makes an API key, and returns the header that shows it."""
