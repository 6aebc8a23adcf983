"""What was charged for each generation of a model with the flag ``bill``, also of those that were cancelled."""

import json
from typing import Any

from tests.support.mock_openrouter.answer import prompt_tokens
from tests.support.mock_openrouter.script import GENERATION_ID, Script, usage_of

__all__ = ["Bills"]


class Bills:
    """Bills by the id of the generation."""

    def __init__(self) -> None:
        self._bills: dict[str, dict[str, Any]] = {}

    def open(self, script: Script, body: bytes) -> None:
        """Begin to charge for a generation."""
        if script.generation_id == GENERATION_ID:
            return
        request = json.loads(body)
        self._bills[script.generation_id] = {
            "id": script.generation_id,
            "session_id": request.get("session_id"),
            "native_tokens_prompt": prompt_tokens(request),
            "native_tokens_completion": 0,
            "total_cost": 0.0,
            "cancelled": None,
        }

    def close(self, script: Script, *, sends: int, is_cancelled: bool) -> None:
        """Charge for the prompt and for the deltas among the sends that were made."""
        bill = self._bills.get(script.generation_id)
        if bill is None:
            return
        said = len(script.paced) if not is_cancelled else max(0, min(sends - script.paced.start, len(script.paced)))
        bill["native_tokens_completion"] = said
        bill["total_cost"] = usage_of(bill["native_tokens_prompt"], said)["cost"]
        bill["cancelled"] = is_cancelled

    def all(self) -> list[dict[str, Any]]:
        """Return all of them."""
        return list(self._bills.values())

    def of(self, generation_id: str | None) -> dict[str, Any] | None:
        """Return one that is closed."""
        bill = self._bills.get(generation_id or "")
        return bill if bill is not None and bill["cancelled"] is not None else None
