"""The end of a reply as a provider states it, reduced to what can be stored and believed."""

from __future__ import annotations

import logging
from operator import is_

from idolchat_core.errors import ReplyCut
from idolchat_core.events.json_values import MISSING, plain_json, plain_text
from idolchat_core.llm.contract import Finished
from idolchat_core.models import Usage
from idolchat_core.prompt.entry import UNFINISHED

__all__ = ["well_formed"]

log = logging.getLogger(__name__)


def well_formed(finished: object) -> Finished:
    """Return the end of a reply with each field of its own type, and without what is not.

    A ``finish_reason`` that says in our words that the reply is none, such as ``error`` (see ``Message``), becomes
    ``stop``: a provider says so by raising. Raises ``ReplyCut`` for what is no ``Finished``.
    """
    if not isinstance(finished, Finished):
        raise ReplyCut("the provider ended the reply without saying that it was finished")
    reason, usage = _text(finished.finish_reason), _usage(finished.usage)
    model, completion_id = _text(finished.model), _text(finished.completion_id)
    if not reason or reason in UNFINISHED:
        reason = "stop"
    given = (finished.finish_reason, finished.usage, finished.model, finished.completion_id)
    if type(finished) is Finished and all(map(is_, given, (reason, usage, model, completion_id))):
        return finished
    return Finished(finish_reason=reason, usage=usage, model=model, completion_id=completion_id)


def _text(value: object) -> str | None:
    return plain_text(value) if isinstance(value, str) else None


def _usage(usage: object) -> Usage | None:
    """Return a usage that can be stored: what it has beside the fields that we know is reduced to JSON."""
    if isinstance(usage, Usage):
        more = usage.__pydantic_extra__ or {}
        plain = {name: value for name, given in more.items() if (value := plain_json(given)) is not MISSING}
        if plain == more:
            return usage
        known = {name: getattr(usage, name) for name in usage.model_fields_set if name not in more}
        return Usage(**known, **plain)
    if usage is None:
        return None
    log.warning("what the provider says that a reply took is no usage and is estimated")
    return None
