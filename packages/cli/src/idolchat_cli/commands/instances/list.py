"""``idol instances list``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import Field
from rich.text import Text

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, clock, on_stderr, on_stdout, print_json, show, table
from idolchat_cli.results import Result
from idolchat_core.coordination.contract import Instance, SharedStorage
from idolchat_core.errors import ConfigurationError

__all__ = ["RESULT", "app"]

LATE_S = 2.0
"""A server that has been silent for longer takes no turns; a second later the others take its turns over."""


class InstanceInfo(Result):
    """A server among those that share the storage."""

    id: UUID
    address: str = Field(description="its machine and process")
    version: str
    state: str = Field(description="`alive`, `draining` (takes no new turns), or `silent` (has missed heartbeats)")
    started_at: datetime
    silent_s: float = Field(description="seconds since its last heartbeat, by the clock of the storage")
    running: int = Field(description="turns that run there")
    waiting: int = Field(description="turns that wait there for others of their conversation")


RESULT = list[InstanceInfo]

app = new_app()


@app.command(
    "list",
    epilog=examples("idol instances list", "idol instances list --json | jq -r '.[] | select(.state != \"alive\").id'"),
)
def list_instances(as_json: AsJson = False) -> None:
    """List the servers that share the storage, as it knows them, the longest-running first."""
    instances = asyncio.run(_instances())
    if as_json:
        print_json(instances)
    elif not instances:
        on_stderr().print("No server runs on this storage.")
    else:
        headings = ("INSTANCE", "ADDRESS", "VERSION", "STATE", "SINCE", "SILENT", "RUNNING", "WAITING")
        show(on_stdout(), table(*headings, rows=[_row(instance) for instance in instances]))


async def _instances() -> Sequence[InstanceInfo]:
    async with open_conversations() as opened:
        if not isinstance(opened.storage, SharedStorage):
            raise ConfigurationError(
                f"one server alone serves the storage {opened.storage_name!r}, so there is no list of them; a storage"
                " that several share is set in IDOLCHAT_STORAGE, such as postgres"
            )
        return [_described(instance) for instance in await opened.storage.instances()]


def _described(instance: Instance) -> InstanceInfo:
    return InstanceInfo(
        id=instance.id,
        address=instance.address,
        version=instance.version,
        state=_state(instance),
        started_at=instance.started_at,
        silent_s=round(instance.silent_s, 3),
        running=instance.running,
        waiting=instance.waiting,
    )


def _state(instance: Instance) -> str:
    if instance.silent_s > LATE_S:
        return "silent"
    return "draining" if instance.is_draining else "alive"


def _row(instance: InstanceInfo) -> list[Text]:
    return [
        cell(str(instance.id)),
        cell(instance.address),
        cell(instance.version),
        cell(instance.state, {"silent": "red", "draining": "yellow"}.get(instance.state, "")),
        cell(clock(instance.started_at)),
        cell(f"{instance.silent_s:.1f} s"),
        cell(str(instance.running)),
        cell(str(instance.waiting)),
    ]
