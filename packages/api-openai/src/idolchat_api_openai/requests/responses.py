"""The body of ``POST /v1/responses``, and what it is as a chat completions request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from idolchat_api_openai.requests.errors import BadRequest

__all__ = ["ResponsesRequest", "response_options"]

MAX_ITEMS = 10_000
_OURS = frozenset({"background", "include", "prompt", "stream_options", "top_logprobs", "truncation"})


class ResponsesRequest(BaseModel):
    """A request in the form of OpenAI's responses API, as far as it is known here."""

    model_config = ConfigDict(frozen=True, extra="allow")

    model: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    input: str | Annotated[list[Any], Field(min_length=1, max_length=MAX_ITEMS)]
    instructions: str | None = None
    stream: bool = False
    store: bool = True
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None
    on_disconnect: Literal["cancel", "continue"] = "cancel"

    @field_validator("stream", "store", "on_disconnect", mode="before")
    @classmethod
    def _null_is_absent(cls, value: object, info: Any) -> object:
        return cls.model_fields[info.field_name].default if value is None else value

    @property
    def person(self) -> str | None:
        """Whom the request is made for, in the client's words."""
        return self.safety_identifier or self.user

    @property
    def conversation_name(self) -> str | None:
        """The conversation that the request names; its input is then what is new there."""
        named = self.conversation.get("id") if isinstance(self.conversation, dict) else self.conversation
        return named if isinstance(named, str) and named else None


def response_options(request: ResponsesRequest) -> dict[str, Any]:
    """Return the fields of the same turn as chat completions name them. Raises ``BadRequest`` for what is not known."""
    given = request.model_extra or {}
    if given.get("background"):
        raise BadRequest("background: must be left out; a turn goes on with on_disconnect=continue", param="background")
    if any("logprobs" in str(one) for one in given.get("include") or ()) or given.get("top_logprobs"):
        raise BadRequest("include: log probabilities are not kept", param="include")
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None and name not in _OURS}
    if options.get("service_tier") in ("auto", "default"):
        del options["service_tier"]
    options |= {"stream": request.stream, "on_disconnect": request.on_disconnect}
    if request.max_output_tokens is not None:
        options["max_tokens"] = request.max_output_tokens
    if request.tools:
        options["tools"] = [_tool(tool, position) for position, tool in enumerate(request.tools)]
    if request.tool_choice is not None:
        options["tool_choice"] = _tool_choice(request.tool_choice)
    return options | _text_options(request.text or {}) | _reasoning_options(request.reasoning or {})


def _tool(tool: Mapping[str, Any], position: int) -> dict[str, Any]:
    if tool.get("type") != "function":
        place = f"tools.{position}.type"
        raise BadRequest(f"{place}: only functions can be called here", param=place)
    function = {name: tool[name] for name in ("name", "description", "parameters", "strict") if name in tool}
    return {"type": "function", "function": {name: value for name, value in function.items() if value is not None}}


def _tool_choice(choice: str | Mapping[str, Any]) -> Any:
    if isinstance(choice, str):
        return choice
    if choice.get("type") != "function":
        raise BadRequest("tool_choice: only functions can be called here", param="tool_choice")
    return {"type": "function", "function": {"name": choice.get("name")}}


def _text_options(text: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {"verbosity": text["verbosity"]} if text.get("verbosity") else {}
    form = text.get("format")
    kind = form.get("type") if isinstance(form, dict) else None
    if isinstance(form, dict) and kind == "json_schema":
        names = ("name", "description", "schema", "strict")
        schema = {name: form[name] for name in names if form.get(name) is not None}
        options["response_format"] = {"type": kind, "json_schema": schema}
    elif kind == "json_object":
        options["response_format"] = {"type": kind}
    return options


def _reasoning_options(reasoning: Mapping[str, Any]) -> dict[str, Any]:
    return {"reasoning_effort": reasoning["effort"]} if reasoning.get("effort") else {}
