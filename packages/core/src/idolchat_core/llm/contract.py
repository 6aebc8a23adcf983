"""The contract of a model provider."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from idolchat_core.errors import ReplyCut
from idolchat_core.models import Usage

__all__ = ["CompletionRequest", "Delta", "Finished", "LLMProvider", "ModelInfo", "OnDeltas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """What is asked of a provider for one completion.

    ``messages`` are in the form of the OpenAI chat completions API. ``options`` are the other fields of that request,
    as the client gave them (``temperature``, ``max_tokens``, ``tools``, ...), never ``model``, ``messages`` or
    ``stream``. With ``stream`` false nobody is reading along, and a provider may fetch the reply whole and yield it
    as one delta. ``conversation_id`` and ``user_id`` let a provider keep a conversation on one server.
    ``traceparent`` is the W3C header of the trace that this belongs to. ``stable_until`` are positions of messages up
    to which the next request is likely to be the same: where a provider wants its prompt cache marked, after these.
    """

    messages: Sequence[Mapping[str, Any]]
    model: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = True
    conversation_id: UUID | None = None
    user_id: UUID | str | None = None
    traceparent: str | None = None
    stable_until: tuple[int, ...] = ()


class Delta(NamedTuple):  # one is made for every piece of every reply, in half the time of a frozen dataclass
    """A piece of a reply.

    ``content`` is text to append, possibly empty. ``fields`` are the other fields of an OpenAI delta, as given:
    ``tool_calls``, ``reasoning``, ``reasoning_details``, ``refusal``. ``model`` is set on the first delta where the
    provider tells which model answers, and ``completion_id`` is its own id for the reply.
    """

    content: str = ""
    fields: Mapping[str, Any] | None = None
    model: str | None = None
    completion_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end of a good reply.

    ``finish_reason`` is ``stop``, ``length``, ``tool_calls``, ``content_filter`` or whatever newer word the
    provider uses. ``model`` is the one that answered (and is billed). ``completion_id`` is the provider's own id.
    """

    finish_reason: str
    usage: Usage | None = None
    model: str | None = None
    completion_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A model that a provider serves.

    ``context_length`` is in tokens, prompt and reply together, None if not told. ``late_system`` is false for a model
    that takes system messages at the beginning only: Claude and Gemini, whose APIs have one system text, and strict
    chat templates. ``assistant_first`` is false where the first message after the instructions must be the user's, as
    it must for these. ``input_modalities`` are such as ``text`` and ``image``, None if not told.
    """

    id: str
    context_length: int | None = None
    name: str | None = None
    max_output_tokens: int | None = None
    late_system: bool = True
    assistant_first: bool = True
    input_modalities: tuple[str, ...] | None = None


type OnDeltas = Callable[[Sequence[Delta]], None]


class LLMProvider(ABC):
    """A place where models answer.

    A factory registered in ``idolchat_register_llm_providers`` takes no arguments and returns an async context
    manager that gives one of these, ready to use, and closes what it opened.
    """

    default_model: str | None = None
    """What answers when a request names no model; None lets the provider's account decide."""

    is_embedded: bool = False
    """Whether the model runs on this machine's processor, so that work in the background would slow turns down."""

    can_reconcile: bool = False
    """Whether ``reconcile`` can tell afterwards what a reply took."""

    @abstractmethod
    def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Finished]:
        """Answer: deltas as the model makes them, then exactly one ``Finished``, and nothing after it.

        Closing the generator, or cancelling the task that runs it, stops the work upstream at once.
        Raises a ``ProviderError`` for whatever keeps the reply from being complete; a stream that ends
        upstream without saying that it is finished is ``ReplyCut``.
        """

    async def answer(self, request: CompletionRequest, on_deltas: OnDeltas) -> Finished:
        """Answer as ``stream`` does, but pass the deltas to ``on_deltas``, together where they came together.

        A provider that can tell them in the moment they come spares its caller being woken for each. ``on_deltas`` is
        called in the thread of the event loop, by whatever task or callback; what it raises is raised here.
        Cancelling it stops the work upstream at once.
        """
        finished: Finished | None = None
        async with aclosing(self.stream(request)) as reply:
            async for piece in reply:
                if isinstance(piece, Delta):
                    on_deltas((piece,))
                else:
                    finished = piece
        if finished is None:
            raise ReplyCut("the provider ended the reply without saying that it was finished")
        return finished

    @abstractmethod
    async def list_models(self) -> Sequence[ModelInfo]:
        """Return which models can be asked for. Raises ``ProviderError``."""

    @abstractmethod
    async def check(self) -> None:
        """Return when the provider can take a request; else raise what a request would meet.

        Costs nothing and takes a few seconds at the most.
        """

    async def reconcile(self, completion_id: str) -> Usage | None:
        """Return what a reply took that was cut before its end; None when that is not known yet, or never will be.

        Raises ``ProviderError``.
        """
        return None
