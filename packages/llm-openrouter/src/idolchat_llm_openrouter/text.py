"""Text that may hold halves of characters (UTF-16 surrogates), which neither UTF-8 nor JSON can carry."""

from __future__ import annotations

__all__ = ["replace_lone_surrogates"]


def replace_lone_surrogates(text: str) -> str:
    """Join two halves that stand together; replace one that stands alone with U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
