"""Text with lone UTF-16 surrogates, which UTF-8 cannot encode."""

from __future__ import annotations

__all__ = ["replace_lone_surrogates"]


def replace_lone_surrogates(text: str) -> str:
    """Join surrogate pairs and replace lone surrogates with U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
