"""Asks the provider afterwards what replies took that were cut before it told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from pydantic_core import from_json

from idolchat_core.errors import ProviderError
from idolchat_core.llm.contract import LLMProvider
from idolchat_core.models import Usage
from idolchat_core.spending.ledger_lines import fixed, sure
from idolchat_core.spending.plausibility import plausible_usage

__all__ = ["Reconciler"]

log = logging.getLogger(__name__)

PAUSES_S = (1.0, 3.0, 10.0, 60.0, 300.0)
"""Before each attempt: OpenRouter knows of a generation some seconds after its end."""
MAX_WAITING = 1000
AT_ONCE = 4


class Reconciler:
    """Asks in the background, a few at a time; ``told`` takes the call's line, the line to write, and the usage."""

    def __init__(self, llm: LLMProvider, told: Callable[[dict[str, Any], bytes, Usage | None], None]) -> None:
        self._llm = llm
        self._told = told
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def add_line(self, line: bytes) -> None:
        """Add a call by the line that settled it."""
        if self._llm.can_reconcile:
            self.add(from_json(line))

    def add(self, line: dict[str, Any]) -> None:
        """Add a call; beyond ``MAX_WAITING`` of them, estimates stay as they are until the next start."""
        if self._llm.can_reconcile and len(self._tasks) < MAX_WAITING:
            task = asyncio.create_task(self._ask(line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stop asking; what is not known is asked again at the next start."""
        for task in self._tasks:
            task.cancel()

    async def _ask(self, line: dict[str, Any]) -> None:
        for pause_s in PAUSES_S:
            await asyncio.sleep(pause_s)
            try:
                async with self._places:
                    told = await self._llm.reconcile(line["completion"])
            except ProviderError as error:
                log.info("the provider does not tell what a reply took", extra={"code": error.code})
                continue
            usage = plausible_usage(told, model=line.get("model"))
            if usage is not None:
                self._told(line, fixed(line, usage), usage)
                return
        self._told(line, sure(line["call"]), None)
