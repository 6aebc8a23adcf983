"""JSON of whatever a client may have sent."""

from __future__ import annotations

import json

import orjson

__all__ = ["json_bytes"]


def json_bytes(value: object, *, sorts_keys: bool = False) -> bytes:
    """Encode a value that came as JSON; what JSON does not know is written as ``str`` has it."""
    option = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS if sorts_keys else None
    try:
        return orjson.dumps(value, default=str, option=option)
    except orjson.JSONEncodeError:  # integers beyond 64 bits
        return json.dumps(value, default=str, sort_keys=sorts_keys, separators=(",", ":")).encode()
