"""A reply as llama.cpp sends it, put into deltas and an end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from idolchat_core import (
    ContextTooLong,
    Delta,
    Finished,
    ProviderError,
    ProviderUnavailable,
    ReplyCut,
    RequestRefused,
    Usage,
)
from idolchat_llm_local.repetition import RepetitionDetector

__all__ = ["Reply"]

RENAMED = {"reasoning_content": "reasoning"}
NOT_FIELDS = ("role", "content")

_QUOTED = re.compile(r"[;:,]?\s*(\{|\w+ = |last read|\n).*", re.DOTALL)


class Reply:
    """Takes the chunks of one reply; ``model`` is the name that it goes by."""

    def __init__(self, model: str) -> None:
        self._model: str = model
        self._named = False
        self._id: str | None = None
        self._finish_reason: str | None = None
        self._usage: Usage | None = None
        self._repetition = RepetitionDetector()
        self.is_looping = False

    def read(self, chunk: Mapping[str, Any]) -> Delta | None:
        """Return the delta of a chunk; None where it adds no text. Raises ``ProviderError``."""
        if error := chunk.get("error"):
            raise _error(error)
        self._id = chunk.get("id")
        if usage := chunk.get("usage"):
            self._usage = _usage(usage)
        if not chunk["choices"]:
            return None
        choice = chunk["choices"][0]
        self._finish_reason = choice["finish_reason"] or self._finish_reason
        return self._delta(choice["delta"])

    def end(self) -> Finished:
        """Return the end, after the last chunk. Raises ``ReplyCut`` when none said that it is the end.

        A reply that was left because it repeats itself ends by ``length``, as one that would go on.
        """
        if self.is_looping:
            self._finish_reason = self._finish_reason or "length"
        if self._finish_reason is None:
            raise ReplyCut("the local model stopped without saying that it had finished")
        return Finished(finish_reason=self._finish_reason, usage=self._usage, model=self._model, completion_id=self._id)

    def _delta(self, said: Mapping[str, Any]) -> Delta | None:
        content = said.get("content") or ""
        fields = {RENAMED.get(key, key): value for key, value in said.items() if key not in NOT_FIELDS}
        if not content and not fields:
            return None
        self.is_looping = self._repetition.loops(content or fields.get("reasoning") or "")
        model, self._named = None if self._named else self._model, True
        return Delta(content, fields or None, model)


def _usage(told: Mapping[str, Any]) -> Usage:
    return Usage(
        input_tokens=told["prompt_tokens"],
        output_tokens=told["completion_tokens"],
        cached_tokens=told.get("prompt_tokens_details", {}).get("cached_tokens"),
    )


def _error(told: Mapping[str, Any]) -> ProviderError:
    status, code = told["code"], told["type"]
    if code == "exceed_context_size_error":
        found, wanted = told["n_prompt_tokens"], told["n_ctx"]
        text = f"the prompt has {found} tokens, and the local model reads {wanted}"
        return ContextTooLong(text, status=status, provider_code=code)
    # llama.cpp may quote what it could not read, which is what somebody said.
    text = f"llama.cpp: {_QUOTED.sub('', told['message'])}"
    kind = ProviderUnavailable if status >= 500 else RequestRefused
    return kind(text, status=status, provider_code=code)
