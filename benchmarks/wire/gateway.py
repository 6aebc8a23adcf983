"""What stands between the clients and the model server."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from benchmarks.load.options import Mode

__all__ = ["OPENAI_BODY", "OPENAI_PATH", "Gateway", "Setup"]

OPENAI_PATH = "/v1/chat/completions"
_TURN = "Tell me about your next concert, please! " * 4
OPENAI_BODY = (
    '{"model": "@MODEL@", "stream": "@STREAM@", "messages": [{"role": "system", "content": "'
    + "You are Hoshino Mira, a cheerful idol. " * 8
    + '"}, {"role": "user", "content": "'
    + _TURN
    + '"}]}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A gateway made ready to start in a folder: its command, and what its clients are to send it.

    ``beside`` is the command of a server that it uses.
    """

    command: Sequence[str]
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Sequence[str] = ()
    ready: str = "/"
    beside: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """``prepare`` makes it ready in a new folder for a model server at a URL; without it, clients ask that directly.

    ``log_in`` gives a client's headers, once it runs; ``remember`` gives it a conversation of so many messages. It is
    measured in all scenarios unless some are named.
    """

    name: str
    prepare: Callable[[Path, str], Setup] | None
    paths: Mapping[Mode, str]
    body: str = OPENAI_BODY
    ws_body: str = ""
    is_durable: bool = False
    log_in: Callable[[Setup], Sequence[str]] | None = None
    remember: Callable[[Setup, UUID, int], None] | None = None
    scenarios: Collection[str] = ()
