"""Conditions of a query that grow, with their arguments."""

from __future__ import annotations

__all__ = ["Condition"]


class Condition:
    """All of its parts must hold."""

    def __init__(self) -> None:
        self.arguments: list[object] = []
        self._parts: list[str] = []

    def number(self, value: object) -> str:
        """Add a value, and return its placeholder in the query."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def add(self, text: str, *values: object) -> None:
        """Add a part; ``{}`` stands for each value."""
        self._parts.append(text.format(*map(self.number, values)))

    @property
    def clause(self) -> str:
        """The clause, with a blank before it; nothing where there are no parts."""
        return f" where {' and '.join(self._parts)}" if self._parts else ""
