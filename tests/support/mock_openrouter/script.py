"""What is sent for a model name, made once."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from tests.support.mock_openrouter import faults
from tests.support.mock_openrouter.behaviour import Behaviour, behaviour
from tests.support.mock_openrouter.spoil import COMMENT, Send, spoilt_stream, spoilt_whole
from tests.support.mock_openrouter.wire import LAST_FRAME, chunked_head, dumps, event, frame, response

UNICODE = "你好🌸 안녕 \u2028 line \u0085 next \u2029 שלום 👩‍👩‍👧‍👦 e\u0301 \ud83c\udf38".encode(
    "utf-16", "surrogatepass"
).decode("utf-16")

REQUEST_FAULTS = frozenset({"leak", "nostreamoptions"})
"""Those that depend on what was asked; the server answers them."""


def word(number: int) -> str:
    """Make a word of a reply, always the same, so that a test can tell what must come."""
    return f"w{number} ✨" if number % 16 == 7 else f"word{number} "


def text_of(words: int) -> str:
    return "".join(map(word, range(words)))


GENERATION_ID = "gen-1700000000-mock"


class Script:
    """The sends of one model name, right and spoilt, streamed and whole."""

    def __init__(
        self,
        about: Behaviour,
        deltas: Sequence[dict[str, Any]],
        text: str,
        *,
        finish_reason: str = "stop",
        usage: dict[str, Any] | None,
        generation_id: str = GENERATION_ID,
    ) -> None:
        self.about = about
        self.generation_id = generation_id
        self.paced = range(2, 2 + len(deltas))
        self._base = {"id": generation_id, "provider": "Mock", "model": about.model, "created": 1700000000}
        completion = self._completion(deltas, text, finish_reason, usage)
        reply = response("200 OK", dumps(completion), extra="x-generation-id: gen-1700000000-mock\r\n")
        events = [self._chunk(delta) for delta in deltas]
        end = [self._chunk({"role": "assistant", "content": ""}, finish_reason)]
        end += [self._chunk(None, usage=usage)] if usage else []
        end += [b"data: [DONE]\n\n"]
        self.whole: list[Send] = [reply]
        self.streamed: list[Send] = _stream(events, end, in_bytes="bytes" in about.flags)
        self.bad_whole, self.bad_streamed = self.whole, self.streamed
        if about.fault:
            self._spoil(about.fault, events, end, reply, completion)

    def _spoil(
        self, fault: str, events: list[bytes], end: list[bytes], reply: bytes, completion: dict[str, Any]
    ) -> None:
        refusal = faults.refusal(fault, self.about.retry_after)
        if refusal:
            self.bad_whole = self.bad_streamed = [refusal]
            return
        whole = spoilt_whole(fault, reply, completion)
        streamed = spoilt_stream(fault, events, end, self._chunk)
        if fault == "json":
            streamed = self.whole
        if whole is None and streamed is None and fault not in REQUEST_FAULTS:
            raise LookupError(f"the mock knows no fault named {fault}")
        self.bad_whole, self.bad_streamed = whole or self.whole, streamed or self.streamed

    def _chunk(self, delta: dict[str, Any] | None, finish_reason: str | None = None, **more: Any) -> bytes:
        choice = {
            "index": 0, "delta": delta, "logprobs": None,
            "finish_reason": finish_reason, "native_finish_reason": finish_reason,
        }  # fmt: skip
        choices = [] if delta is None else [choice]
        return event(self._base | {"object": "chat.completion.chunk", "choices": choices} | more)

    def _completion(
        self, deltas: Sequence[dict[str, Any]], text: str, finish_reason: str, usage: dict[str, Any] | None
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        for delta in deltas:
            message |= {key: value for key, value in delta.items() if key not in message}
        choice = {
            "index": 0, "message": message, "logprobs": None,
            "finish_reason": finish_reason, "native_finish_reason": finish_reason,
        }  # fmt: skip
        return self._base | {"object": "chat.completion", "choices": [choice], **({"usage": usage} if usage else {})}


def _stream(events: list[bytes], end: list[bytes], *, in_bytes: bool) -> list[Send]:
    if in_bytes:
        body = b"".join([COMMENT, *events, *end])
        return [chunked_head(), *(frame(body[at : at + 1]) for at in range(len(body))), LAST_FRAME]
    frames = [*map(frame, [COMMENT, *events, *end])]
    return [chunked_head(), *frames[:-1], frames[-1] + LAST_FRAME]


def usage_of(prompt_tokens: int, completion_tokens: int, *, reasoning_tokens: int = 0) -> dict[str, Any]:
    """Count as OpenRouter does: a tenth of a cent for a thousand tokens, the first 1024 of a prompt cached."""
    cached = prompt_tokens // 1024 * 1024
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning_tokens, "image_tokens": 0},
        "cost": (prompt_tokens - cached + completion_tokens) / 1e6,
        "cost_details": {"upstream_inference_cost": None},
        "is_byok": False,
    }


@lru_cache(4096)
def fixed_script(model: str, *, with_usage: bool) -> Script:
    """Return the script of a model name that does not depend on what was asked."""
    about = behaviour(model)
    deltas, finish_reason = _deltas(about)
    text = UNICODE if "uni" in about.flags else text_of(about.words)
    reasoning = 3 if "reason" in about.flags else 0
    usage = usage_of(20, len(deltas), reasoning_tokens=reasoning)
    return Script(about, deltas, text, finish_reason=finish_reason, usage=usage if with_usage else None)


def said(pieces: Sequence[str]) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": piece} for piece in pieces]


def _deltas(about: Behaviour) -> tuple[list[dict[str, Any]], str]:
    if "tools" in about.flags:
        return _tool_call(), "tool_calls"
    thoughts = _thoughts() if "reason" in about.flags else []
    pieces = list(UNICODE) if "uni" in about.flags else [word(number) for number in range(about.deltas)]
    return [*thoughts, *said(pieces)], "stop"


def _tool_call() -> list[dict[str, Any]]:
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    pieces = ('{"city":', ' "Zürich"}')
    rest = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
    return [{"role": "assistant", "content": None, "tool_calls": [call]} for call in (first, *rest)]


def _thoughts() -> list[dict[str, Any]]:
    return [
        {
            "role": "assistant",
            "content": "",
            "reasoning": thought,
            "reasoning_details": [{"type": "reasoning.text", "text": thought, "index": 0}],
        }
        for thought in ("Let me ", "think ", "first.")
    ]
