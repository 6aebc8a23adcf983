"""Decodes what servers send: chunks and completions of the OpenAI API into deltas and an end.

Servers add fields and words without notice, so what is not known is ignored; what is known is read in every form that
some server gives it. An ``error`` is looked for before ``choices``, which may be empty or missing beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from idolchat_core import Delta, Finished
from idolchat_llm_openrouter.delta_fields import PLAIN_FIELDS, Malformed, content_of, fields_of
from idolchat_llm_openrouter.error_object import error_in, error_of_text
from idolchat_llm_openrouter.errors import CallFailed, ErrorMapper
from idolchat_llm_openrouter.json_parsing import parse_leniently, values_in
from idolchat_llm_openrouter.plain_chunk import plain_text
from idolchat_llm_openrouter.sse import ErrorData
from idolchat_llm_openrouter.text import replace_lone_surrogates
from idolchat_llm_openrouter.think_tags import ThinkTags
from idolchat_llm_openrouter.tool_calls import ToolCallReader
from idolchat_llm_openrouter.usage import usage_of

__all__ = ["ChunkDecoder"]

logger = logging.getLogger(__name__)

MAX_LABEL = 512
"""No id, name of a model or finish_reason is longer, in characters."""


class ChunkDecoder:
    """Builds one reply out of what the server sends.

    ``decode_chunks`` and ``decode_completion`` return what can be passed on; ``failure`` is what then has to be
    raised. After a good end, ``finished`` closes the reply. Text counts until ``[DONE]`` or the end of the stream, also
    behind a ``finish_reason``, which some servers send before it; what cannot be read behind one is ignored.

    With ``done_is_finish`` a reply is good though it ends with ``[DONE]`` alone; with ``think_as_reasoning`` the text
    in ``<think>`` at its beginning becomes its ``reasoning``.
    """

    def __init__(self, errors: ErrorMapper, *, done_is_finish: bool = False, think_as_reasoning: bool = False) -> None:
        self.failure: CallFailed | None = None
        self.finish_reason: str | None = None
        self.is_done = False
        self.said_after_finish = False
        self.has_said = False  # text, or a call of a tool
        self._errors = errors
        self._done_is_finish = done_is_finish
        self._think = ThinkTags() if think_as_reasoning else None
        self._calls: ToolCallReader | None = None
        self._model: str | None = None
        self._model_told = False
        self._id: str | None = None
        self._usage: Any = None
        self._lenient = False
        self._has_warned = False
        self._half = ""  # a first half of a character, whose second half is in the next chunk

    @property
    def accepts_plain_text(self) -> bool:
        """Whether a chunk that holds text alone, and is good JSON, says nothing but that text."""
        return self.has_said and self.finish_reason is None and not self._half and self._think is None

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
        """Decode the data of events, up to the end or a failure."""
        deltas: list[Delta] = []
        for payload in payloads:
            try:
                delta = self._event(payload) if payload else None
            except Malformed as error:
                self._flawed(error)
                delta = None
            if delta is not None:
                deltas.append(delta)
            if self.is_done or self.failure:
                break
        return deltas

    def decode_last(self, payload: bytes) -> list[Delta]:
        """Decode the data of an event that lacks its end; a part of a chunk is no chunk."""
        if payload.__class__ is not ErrorData and not _is_done(payload):
            try:
                orjson.loads(payload)
            except orjson.JSONDecodeError:
                return []
        return self.decode_chunks((payload,))

    def decode_completion(self, body: bytes) -> list[Delta]:
        """Decode a whole reply."""
        self.is_done = True
        try:
            return self._completion(self._parsed(body))
        except Malformed as error:
            self.failure = self.failure or self._errors.malformed(str(error))
        return []

    def decode_unframed(self, text: bytes) -> list[Delta] | None:
        """Decode JSON that came in a stream without its framing; None where the text is no such JSON."""
        values = values_in(text)
        if values is None:
            return None
        deltas: list[Delta] = []
        for value in values:
            try:
                deltas += self._unframed(value)
            except Malformed as error:
                self._flawed(error)
        return deltas

    def end(self, unframed: bytes) -> list[Delta]:
        """Return what was held back; ``unframed`` is what else the stream held, which may explain its early end."""
        deltas = [] if not unframed or self.is_done else self.decode_unframed(unframed) or []
        if unframed and not deltas and self.finish_reason is None and not self.is_done and self.failure is None:
            error = error_of_text(unframed)
            self.failure = self._errors.from_error(error) if error else None
        held = self._held() if self._half or self._think is not None else None
        return deltas if held is None else [*deltas, held]

    def _held(self) -> Delta | None:
        content, self._half = replace_lone_surrogates(self._half), ""
        thoughts = ""
        if self._think is not None:
            text, thoughts = self._think.split(content)
            rest, more = self._think.rest()
            content, thoughts = text + rest, thoughts + more
        return self._made(content, {"reasoning": thoughts} if thoughts else None)

    def _event(self, payload: bytes) -> Delta | None:
        if payload.__class__ is ErrorData:
            self._fail(payload)
            return None
        if payload[0] != 123 and _is_done(payload):  # 123 is the opening brace
            self.is_done = True
            if self._done_is_finish and self.finish_reason is None and (self.has_said or self._model_told):
                self.finish_reason = "tool_calls" if self._calls else "stop"
            return None
        chunk = self._parsed(payload)
        text = None if self._lenient or not self.accepts_plain_text else plain_text(chunk)
        return Delta(text) if text else self._chunk(chunk)

    def _fail(self, payload: bytes) -> None:
        try:
            value = self._parsed(payload)
            error = error_in(value) or value
        except Malformed:
            error = error_of_text(payload) or {}
        self.failure = self._errors.from_error(error)

    def _chunk(self, chunk: dict[str, Any]) -> Delta | None:
        if chunk.get("error") or "choices" not in chunk:
            error = error_in(chunk)
            if error is not None:
                self.failure = self._errors.from_error(error)
        self._note(chunk)
        choices = chunk.get("choices")
        if choices:
            try:
                return self._choice(choices[0])
            except (AttributeError, TypeError, LookupError):
                raise Malformed("choices") from None
        if choices is None or choices == []:
            return None
        raise Malformed("choices")

    def _choice(self, choice: dict[str, Any]) -> Delta | None:
        finish_reason = choice.get("finish_reason")
        delta = self._delta(choice.get("delta") or self._other_form(choice))
        if self.finish_reason is not None and delta is not None:
            self.said_after_finish = True
        if finish_reason is not None or choice.get("error"):
            self._end(finish_reason, choice)
        usage = choice.get("usage")  # Moonshot states it here
        if usage:
            self._usage = usage
        return delta

    def _other_form(self, choice: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read a choice without a delta: a completion of text, or a whole message if nothing else was said."""
        text = choice.get("text")
        if isinstance(text, str):
            return {"content": text}
        message = choice.get("message")
        return message if isinstance(message, dict) and not self._model_told else {}

    def _completion(self, completion: dict[str, Any]) -> list[Delta]:
        error = error_in(completion)
        if error is not None:
            self.failure = self._errors.from_error(error)
        self._note(completion)
        choices = completion.get("choices")
        if not isinstance(choices, list) or not choices:
            raise Malformed("choices")
        choice = _object(choices[0], "choices.0")
        text = choice.get("text")
        message = {"content": text} if isinstance(text, str) else _object(choice.get("message"), "choices.0.message")
        delta = self._delta(message)
        self._end(choice.get("finish_reason"), choice)
        if self.finish_reason is None and self.failure is None:
            self.finish_reason = "tool_calls" if self._calls else "stop"
        return [delta] if delta is not None else []

    def _unframed(self, value: object) -> list[Delta]:
        error = error_in(value)
        if error is not None:
            self.failure = self.failure or self._errors.from_error(error)
            return []
        choices = value.get("choices") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(choices, list):
            return []
        if choices and isinstance(choices[0], dict) and "message" in choices[0] and not self._model_told:
            return self._completion(value)
        delta = self._chunk(value)
        return [delta] if delta is not None else []

    def _flawed(self, flaw: Malformed) -> None:
        if self.finish_reason is None:
            self.failure = self.failure or self._errors.malformed(str(flaw))

    def _note(self, reply: Mapping[str, Any]) -> None:
        if self._id is None:
            self._id = _label(reply.get("id"))
        if self._model is None:
            self._model = _label(reply.get("model"))
        usage = reply.get("usage")
        if usage:
            self._usage = usage

    def _end(self, finish_reason: object, choice: Mapping[str, Any]) -> None:
        if finish_reason == "error" or choice.get("error"):
            self.failure = self.failure or self._errors.from_error(error_in({"error": choice.get("error")}) or {})
        elif finish_reason is not None and not isinstance(finish_reason, str):
            self._flawed(Malformed("finish_reason"))
        elif finish_reason and (self.finish_reason is None or self.said_after_finish):
            self.finish_reason = finish_reason[:MAX_LABEL]
            self.said_after_finish = False

    def _delta(self, said: Mapping[str, Any]) -> Delta | None:
        content, thoughts = content_of(said)
        fields = None
        if not said.keys() <= PLAIN_FIELDS:
            fields, unusable = fields_of(said)
            if unusable:
                self._warn_of(unusable)
            self._read_calls(said.get("tool_calls"), fields)
        if self._half or self._lenient:
            content = self._mended(content)
        if self._think is not None and content:
            content, more = self._think.split(content)
            thoughts += more
            if self._think.is_over:
                self._think = None
        if thoughts:
            fields = {**(fields or {}), "reasoning": (fields or {}).get("reasoning", "") + thoughts}
        return self._made(content, fields)

    def _warn_of(self, unusable: list[str]) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("fields of a reply cannot be used and are left out", extra={"fields": unusable})

    def _read_calls(self, given: object, fields: dict[str, Any]) -> None:
        if not given:
            return
        if self._calls is None:
            self._calls = ToolCallReader()
        try:
            calls = self._calls.read(given)
        except Malformed as flaw:  # the text beside them is read all the same
            self._flawed(flaw)
            return
        if calls:
            fields["tool_calls"] = calls

    def _made(self, content: str, fields: Mapping[str, Any] | None) -> Delta | None:
        if not content and not fields:
            return None
        if content or (fields and "tool_calls" in fields):
            self.has_said = True
        if self._model_told:
            return Delta(content, fields or None)
        self._model_told = True
        return Delta(content, fields or None, self._model, self._id)

    def _mended(self, content: str) -> str:
        """Join surrogates that were cut apart between two chunks."""
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
            try:
                value = parse_leniently(payload)
            except ValueError:
                raise Malformed("its JSON") from None
            self._lenient = True
        if isinstance(value, list) and error_in(value) is not None:  # as Gemini sends one
            value = value[0]
        if not isinstance(value, dict):
            raise Malformed("the top")
        return value


def _is_done(payload: bytes) -> bool:
    return payload.strip(b' \t\r\n"').upper() == b"[DONE]"


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(name)
    return value


def _label(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_LABEL else None
