"""The AsyncAPI document; that frames and events are as it says is tested wherever a test reads one."""

from typing import Any

import httpx
import pytest

from idolchat_api.streaming.asyncapi import FIELDS, document
from idolchat_api.streaming.websocket_frames import KINDS, ClientFrame


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_frame_and_field_of_a_client_is_described() -> None:
    described = {field for needed, possible, _ in FIELDS.values() for field in (*needed, *possible)}

    assert set(FIELDS) == set(KINDS)
    assert described | {"type"} == ClientFrame.model_fields.keys()


def test_every_reference_leads_somewhere() -> None:
    made = document()

    for reference in references(made):
        at: Any = made
        for key in reference.removeprefix("#/").split("/"):
            at = at[key]
        assert at


async def test_it_is_served_beside_the_reference(client: httpx.AsyncClient) -> None:
    served = await client.get("/asyncapi.json")

    assert served.json() == document()
    assert (await client.get("/docs/events")).status_code == 200


@pytest.mark.parametrize("path", ["/docs/events.js", "/docs/reference.css"])
async def test_its_page_has_what_it_loads(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200
