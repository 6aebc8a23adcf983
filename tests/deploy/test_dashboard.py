"""The dashboard asks for metrics that a server has."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_core import Bus, Registry, hookimpl
from idolchat_core.coordination.local import LocalBus
from idolchat_core.testing import ScriptedProvider, SharedInMemoryStorage

DASHBOARD: dict[str, Any] = json.loads((Path(__file__).parents[2] / "deploy" / "grafana" / "idolchat.json").read_text())
TOKEN = "a-token-for-metrics"
OF_PROMETHEUS = {"instance", "job", "le"}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (annotation["expr"] for annotation in DASHBOARD["annotations"]["list"])
    yield from (
        variable["query"]["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"
    )


class Wire(LocalBus):
    @property
    def state(self) -> Any:
        state = super().state
        state.lag_s = 0.01
        return state


class OwnBus:
    @hookimpl
    def idolchat_register_buses(self, registry: Registry[Bus]) -> None:
        registry.add("wire", lambda: nullcontext(Wire()))


@pytest.fixture
async def text(tmp_path: Path) -> AsyncGenerator[str]:
    """What a server tells after a turn."""
    settings = ApiSettings(
        data_dir=tmp_path, metrics_token=SecretStr(TOKEN), bus="wire", budget_daily_tokens=1000, plugins=()
    )
    parts = Parts(SharedInMemoryStorage(), ScriptedProvider(["Hello."]), is_shared=True)
    async with serving(settings, plugins=[parts, OwnBus()]) as url, httpx.AsyncClient(base_url=url) as client:
        await client.post("/chat", json={"messages": [{"role": "user", "content": "Hi"}]})
        await asyncio.sleep(0)
        yield (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).text


async def test_every_query_names_metrics_and_labels_that_the_server_has(text: str) -> None:
    kinds = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    metrics = {name + suffix for name, kind in kinds for suffix in SUFFIXES.get(kind, ("",))}
    labels = set(re.findall(r'(\w+)="', text)) | OF_PROMETHEUS | {"code"}  # of failures, of which there was none
    asked = set(re.findall(r"\b(?:idolchat|process)_\w+", " ".join(expressions())))
    grouped = {
        label.strip() for group in re.findall(r"by \(([^)]*)\)", " ".join(expressions())) for label in group.split(",")
    }

    assert asked - metrics == set()
    assert grouped - labels == set()


def test_what_servers_tell_of_each_other_is_shown() -> None:
    asked = " ".join(expressions())

    for metric in ("heartbeats_total", "turns_taken_over_total", "remote_readers", "bus_lag_seconds", "suspended"):
        assert f"idolchat_{metric}" in asked


def test_panels_do_not_lie_on_each_other() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]

    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
