"""What is written down of a call when the turn that made it is over."""

from __future__ import annotations

from collections.abc import Callable

from idolchat_core.errors import ProviderError, ProviderTimeout, ReplyCut
from idolchat_core.events.events import TurnEnded
from idolchat_core.models import Usage
from idolchat_core.spending.metered_call import MeteredCall

__all__ = ["settle_call"]


def settle_call(call: MeteredCall, ended: TurnEnded, error: Exception | None, *, estimate: Callable[[], Usage]) -> None:
    """Settle the call of a provider that was asked, by its own figures or else by an estimate."""
    usage = ended.usage
    if usage is None and isinstance(error, ProviderError) and not isinstance(error, ProviderTimeout | ReplyCut):
        usage = Usage()  # it refused, or failed before it said anything: OpenRouter charges nothing for that
    call.settle(ended.state, usage or estimate(), model=ended.message.model if ended.message else None)
