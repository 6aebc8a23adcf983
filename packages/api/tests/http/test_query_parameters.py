"""Query parameters that no route has."""

import httpx
import pytest

ID = "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55"


@pytest.mark.parametrize(
    ("method", "path", "param"),
    [
        ("GET", "/conversations?limits=5", "limits"),
        ("GET", "/conversations?user=1&limit=5", "user"),
        ("GET", f"/conversation/{ID}?page=2", "page"),
        ("DELETE", f"/conversation/{ID}?dry_run=1", "dry_run"),
        ("GET", f"/turns/{ID}/stream?from=3", "from"),
        ("POST", "/chat?stream=true", "stream"),
        ("GET", "/models?x", "x"),
    ],
)
async def test_an_unknown_query_parameter_is_refused_by_name(
    client: httpx.AsyncClient, method: str, path: str, param: str
) -> None:
    reply = await client.request(method, path)

    assert (reply.status_code, reply.json()["error"]["param"]) == (422, param)


async def test_the_refusal_says_which_there_are(client: httpx.AsyncClient) -> None:
    message = (await client.get("/conversations?limits=5")).json()["error"]["message"]

    assert message.endswith("there are before, character_id, limit, user_id")


@pytest.mark.parametrize("path", ["/conversations?limit=5", "/livez?t=1", "/health?t=1", "/docs?v=2"])
async def test_known_parameters_and_those_of_probes_and_pages_are_taken(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200
