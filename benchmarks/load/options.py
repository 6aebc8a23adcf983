"""What load is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Load", "Mode"]

type Mode = Literal["json", "sse", "ws"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """``connections`` clients for ``seconds``, or until ``requests`` were sent.

    In ``body``, ``@POOL@`` is one of so many ``conversations`` in turn, ``@OWN@`` one of the client's share of them,
    and ``@NEW@`` another one each time; with the same ``tag`` they are the same as before. ``@MODEL@`` and
    ``@STREAM@`` stand for the model and whether to stream.
    ``ramp_s`` spreads the beginnings, so that paced streams are out of step. A reply with fewer than ``least_deltas``
    is an error.
    """

    host: str
    port: int
    path: str
    mode: Mode
    model: str
    body: str
    connections: int
    seconds: float
    tag: str
    requests: int = 0
    conversations: int = 2000
    ramp_s: float = 0.0
    drain_s: float = 60.0
    headers: Sequence[str] = ()
    least_deltas: int = 0
    mark: str = '"content":'
    first: str = r'"content":\s?"[^"]'
    end_frame: str = "message"
