"""Spans of WebSocket frames: each frame that starts a turn is traced like a request."""

from __future__ import annotations

import asyncio
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Self

from idolchat_api.observability.instrumentation import Instrumentation
from idolchat_api.observability.traceparent import valid_traceparent
from idolchat_core.errors import IdolchatError
from idolchat_core.request_context import CALLER, CallerInfo

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["FrameTrace"]


class FrameTrace:
    """A context manager: what starts in the block belongs to the frame's trace, and an error ends its span.

    The trace is that of the frame's own ``traceparent``, else of the handshake's, else a new one where there are spans.
    """

    def __init__(self, instrumentation: Instrumentation | None, kind: str, traceparent: str | None) -> None:
        self._traces = instrumentation.traces if instrumentation is not None else None
        self._kind = kind
        self._traceparent = valid_traceparent(traceparent) or CALLER.get().traceparent
        self._span: Span | None = None

    def __enter__(self) -> Self:
        traceparent = self._traceparent
        if self._traces is not None:
            self._span, traceparent = self._traces.begin_frame(self._kind, traceparent)
        self._before: Token[CallerInfo] = CALLER.set(CALLER.get()._replace(traceparent=traceparent))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        CALLER.reset(self._before)
        if error is not None:
            self._end(error.code if isinstance(error, IdolchatError) else type(error).__name__)

    def end_with(self, task: asyncio.Task[None]) -> None:
        """End the span when the task that sends the turn has ended."""
        if self._span is not None:
            task.add_done_callback(lambda _: self._end(None))

    def _end(self, error_code: str | None) -> None:
        if self._span is not None and self._traces is not None:
            self._traces.end_frame(self._span, error_code)
