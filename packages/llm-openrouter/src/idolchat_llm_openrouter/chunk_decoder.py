"""What comes back: chunks and completions of the OpenAI API into deltas and an end.

New fields and words come without notice, so what is not known is passed on or ignored; what is known must be of its
type. An ``error`` is looked for before ``choices``, which may be empty or missing beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from idolchat_core.llm.contract import Delta, Finished
from idolchat_core.models import Usage
from idolchat_llm_openrouter.errors import CallFailed, ErrorMapper
from idolchat_llm_openrouter.text import replace_lone_surrogates

__all__ = ["ChunkDecoder", "generation_usage", "text_in", "usage_of"]

DONE = b"[DONE]"
PLAIN_FIELDS = frozenset({"role", "content"})


class ChunkDecoder:
    """Builds one reply out of what the server sends.

    ``decode_chunks`` and ``decode_completion`` give what can be passed on; ``failure`` is what then has to be raised.
    After a good end, ``finished`` is what closes the reply.
    """

    def __init__(self, errors: ErrorMapper) -> None:
        self.failure: CallFailed | None = None
        self.finish_reason: str | None = None
        self.is_done = False
        self._errors = errors
        self._model: str | None = None
        self._model_told = False
        self._id: str | None = None
        self._usage: Any = None
        self._lenient = False
        self._half = ""  # a first half of a character, whose second half is in the next chunk

    @property
    def accepts_plain_text(self) -> bool:
        """Tell whether of a chunk that holds text alone, and is good JSON, that is all there is to be known."""
        return self._model_told and not self._half

    @property
    def finished(self) -> Finished:
        """The end of the reply; to be asked for once there is a ``finish_reason``."""
        return Finished(
            finish_reason=self.finish_reason or "stop",
            usage=usage_of(self._usage),
            model=self._model,
            completion_id=self._id,
        )

    def decode_chunks(self, payloads: Iterable[bytes]) -> list[Delta]:
        """Read the data of some events, up to the end or a failure."""
        deltas: list[Delta] = []
        try:
            for payload in payloads:
                if payload == DONE:
                    self.is_done = True
                elif payload:
                    chunk = self._parsed(payload)
                    text = None if self._lenient or not self.accepts_plain_text else _plain_text(chunk)
                    delta = Delta(text) if text else self._chunk(chunk)
                    if delta is not None:
                        deltas.append(delta)
                if self.is_done or self.failure:
                    break
        except _Malformed as error:
            self.failure = self.failure or self._errors.malformed(str(error))
        return deltas

    def decode_completion(self, body: bytes) -> list[Delta]:
        """Read a whole reply."""
        self.is_done = True
        try:
            return self._completion(self._parsed(body))
        except _Malformed as error:
            self.failure = self.failure or self._errors.malformed(str(error))
        return []

    def _chunk(self, chunk: dict[str, Any]) -> Delta | None:
        if chunk.get("error"):
            self.failure = self._errors.from_body(chunk, status=None)
        self._note(chunk)
        choices = chunk.get("choices")
        if not choices:
            if choices is None or choices == []:
                return None
            raise _Malformed("choices")
        try:
            choice = choices[0]
            said = choice.get("delta") or {}
            delta = self._delta(said, said.get("content") or "")
            finish_reason = choice.get("finish_reason")
        except (AttributeError, TypeError, LookupError):
            raise _Malformed("choices") from None
        if finish_reason is not None or choice.get("error"):
            self._end(finish_reason, choice)
        return delta

    def _completion(self, completion: dict[str, Any]) -> list[Delta]:
        if completion.get("error"):
            self.failure = self._errors.from_body(completion, status=None)
        self._note(completion)
        choices = completion.get("choices")
        if not isinstance(choices, list) or not choices:
            raise _Malformed("choices")
        choice = _object(choices[0], "choices.0")
        message = _object(choice.get("message"), "choices.0.message")
        delta = self._delta(message, message.get("content") or "")
        self._end(choice.get("finish_reason"), choice)
        return [delta] if delta is not None else []

    def _note(self, reply: Mapping[str, Any]) -> None:
        if self._id is None:
            self._id = _text_or_none(reply.get("id"))
        if self._model is None:
            self._model = _text_or_none(reply.get("model"))
        usage = reply.get("usage")
        if usage:
            self._usage = usage

    def _end(self, finish_reason: object, choice: Mapping[str, Any]) -> None:
        if finish_reason == "error" or choice.get("error"):
            self.failure = self.failure or self._errors.from_body(choice, status=None)
        elif finish_reason is None or isinstance(finish_reason, str):
            self.finish_reason = finish_reason or None
        else:
            raise _Malformed("finish_reason")

    def _delta(self, said: dict[str, Any], content: object) -> Delta | None:
        if not isinstance(content, str):
            raise _Malformed("content")
        fields = None
        if not said.keys() <= PLAIN_FIELDS:
            fields = {key: value for key, value in said.items() if key not in PLAIN_FIELDS and value is not None}
            fields = (_mended_fields(fields) if self._lenient else fields) or None
        if self._half or self._lenient:
            content = self._mended(content)
        if not content and not fields:
            return None
        if self._model_told:
            return Delta(content, fields)
        self._model_told = True
        return Delta(content, fields, self._model, self._id)

    def _mended(self, content: str) -> str:
        """Join the halves of characters that were cut between two chunks (UTF-16 surrogates)."""
        content = self._half + content
        self._half = ""
        if content and "\ud800" <= content[-1] <= "\udbff":
            content, self._half = content[:-1], content[-1]
        return replace_lone_surrogates(content)

    def _parsed(self, payload: bytes) -> dict[str, Any]:
        try:
            value = orjson.loads(payload)
            self._lenient = False
        except orjson.JSONDecodeError:
            value = _leniently_parsed(payload)
            self._lenient = True
        if not isinstance(value, dict):
            raise _Malformed("the top")
        return value


class _Malformed(Exception):
    """What came is not what the API describes; the text names the place."""


def text_in(payload: bytes) -> str | None:
    """Give the text of a chunk which holds nothing else; None for any other, and for what is no JSON."""
    try:
        return _plain_text(orjson.loads(payload))
    except orjson.JSONDecodeError:
        return None


def _plain_text(chunk: Any) -> str | None:
    """Give the text of the commonest chunk, which holds nothing else; None for any other."""
    try:
        [choice] = chunk["choices"]
        said = choice["delta"]
        text = said["content"]
        says_more = choice["finish_reason"] or len(said) > 1 + ("role" in said) or choice.get("error")
    except (AttributeError, LookupError, TypeError, ValueError):
        return None
    return None if says_more or type(text) is not str or chunk.get("usage") or chunk.get("error") else text


def _leniently_parsed(payload: bytes) -> Any:
    """Parse what orjson refuses though it can be used: halves of characters, NaN."""
    try:
        return json.loads(payload, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise _Malformed("its JSON") from None


def _mended_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return json.loads(replace_lone_surrogates(json.dumps(fields, ensure_ascii=False)))  # type: ignore[no-any-return]


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Malformed(name)
    return value


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def usage_of(told: object) -> Usage | None:
    """Read the counts of tokens and the cost; what else was told is kept as it is."""
    if not isinstance(told, dict):
        return None
    prompt = told.get("prompt_tokens_details")
    completion = told.get("completion_tokens_details")
    more = {key: _telling(value) for key, value in told.items() if key not in LIFTED}
    return Usage(
        input_tokens=_count(told.get("prompt_tokens")) or 0,
        output_tokens=_count(told.get("completion_tokens")) or 0,
        cached_tokens=_count(prompt.get("cached_tokens")) if isinstance(prompt, dict) else None,
        reasoning_tokens=_count(completion.get("reasoning_tokens")) if isinstance(completion, dict) else None,
        cost=_amount(told.get("cost")),
        **{key: value for key, value in more.items() if value is not None},
    )


def generation_usage(told: object) -> Usage | None:
    """Read what ``GET /generation`` tells of a generation; None where it tells no counts.

    Native counts are the ones that are billed; the others are by a tokenizer of OpenRouter's own choice.
    """
    about = told.get("data") if isinstance(told, dict) else None
    if not isinstance(about, dict):
        return None
    asked, said = (
        next((count for name in names if (count := _count(about.get(name))) is not None), None)
        for names in (
            ("native_tokens_prompt", "tokens_prompt"),
            ("native_tokens_completion", "tokens_completion"),
        )
    )
    cost = _amount(about.get("total_cost"))
    if cost is None and asked is None and said is None:
        return None
    return Usage(input_tokens=asked or 0, output_tokens=said or 0, cost=cost)


MAX_COUNT = 1 << 53  # beyond it a JSON number is no count, and may be infinite
LIFTED = frozenset(
    {
        "prompt_tokens", "completion_tokens", "total_tokens", "cost",
        "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "is_estimate",
    }
)  # fmt: skip


def _telling(value: Any) -> Any:
    """Leave out of a group of counts what is nothing or is told elsewhere; None where nothing is left."""
    if not isinstance(value, dict):
        return value
    return {key: count for key, count in value.items() if count and key not in LIFTED} or None


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and 0 <= value < MAX_COUNT else None


def _amount(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
