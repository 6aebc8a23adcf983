"""The ledger holds what the provider charges, through crashes; budgets and the stop switch keep it from being asked."""

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer
from tests.support.talk import body

KILLS = 4


@pytest.fixture
def bill_server(start_server: StartServer, mock_openrouter: Mock) -> Any:
    def start(**environment: str) -> Server:
        return start_server(
            OPENROUTER_API_KEY="sk-or-v1-canary",
            OPENROUTER_BASE_URL=mock_openrouter.base_url,
            IDOLCHAT_OPENROUTER_DIALECT="openrouter",
            IDOLCHAT_MODEL="mock/bill-n8",
            **environment,
        )

    return start


def usage(server: Server, *arguments: str) -> Any:
    """Run ``idol usage`` beside the server."""
    command = [sys.executable, "-m", "idolchat_cli", "usage", *arguments]
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {**server.environment, **server.places}
    done = subprocess.run(command, cwd=server.folder, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


def lines(server: Server) -> list[dict[str, Any]]:
    """Read the ledger's lines."""
    return [json.loads(line) for line in server.log_lines("spending")]


async def test_fifty_turns_at_the_edge_of_a_budget(bill_server: Any, mock_openrouter: Mock) -> None:
    """Each in flight overspends by one turn at the most, and nothing is asked, stored or spent after."""
    server = bill_server(IDOLCHAT_BUDGET_DAILY_TOKENS="30")
    async with server.client() as client:
        model = {"model": "mock/bill-n8-d30"}
        answers = await asyncio.gather(*(client.post("/chat", json=body("Hi", **model)) for _ in range(50)))
        conversation_id, headers = str(uuid4()), {"Idempotency-Key": '"late"'}
        late = [
            await client.post("/chat", json=body("Hi", conversation_id=conversation_id), headers=headers)
            for _ in range(3)
        ]
        stored = await client.get(f"/conversation/{conversation_id}")
        streamed = await client.post("/chat/stream", json=body("Hi"))
    bills = mock_openrouter.bills()
    spent = sum(bill["native_tokens_prompt"] + bill["native_tokens_completion"] for bill in bills)

    assert {answer.status_code for answer in answers} <= {200, 429}
    assert len(bills) == sum(answer.status_code == 200 for answer in answers)
    assert spent <= 30 + 50 * max(bill["native_tokens_prompt"] + 8 for bill in bills)
    for refused in (*late, streamed):
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        assert refused.headers["ratelimit-policy"] == '"tokens-day";q=30;w=86400;qu="tokens"'
        assert refused.headers["ratelimit"].startswith('"tokens-day";r=0;t=')
    assert stored.status_code == 404
    report = await asyncio.to_thread(usage, server, "show", "--json")
    assert report["total"]["input_tokens"] + report["total"]["output_tokens"] == spent
    assert report["total"]["cost"] == pytest.approx(sum(bill["total_cost"] for bill in bills))

    server.stop()
    server.environment["IDOLCHAT_BUDGET_DAILY_TOKENS"] = str(spent + 1)
    server.start()
    async with server.client() as client:
        again = await client.post("/chat", json=body("Hi", conversation_id=conversation_id), headers=headers)
    assert again.status_code == 200


async def test_the_ledger_equals_what_the_provider_charged_after_kills(bill_server: Any, mock_openrouter: Mock) -> None:
    server = bill_server()
    for kill in range(KILLS):
        senders = [asyncio.create_task(_talk(server, kill, number)) for number in range(12)]
        # The first ones have ended, others are amid a reply: named in the ledger or not yet, settled there or not yet.
        await mock_openrouter.wait(requests=mock_openrouter.stats()["requests"] + 20 + 3 * kill)
        server.kill()
        await asyncio.gather(*senders)
        await mock_openrouter.wait_for_replies(0)
        server.start()
    async with asyncio.timeout(60):
        await asyncio.to_thread(_wait_until_sure, server)
    server.stop()
    bills = {bill["id"]: bill for bill in mock_openrouter.bills()}
    written = lines(server)
    calls = {line["call"]: line for line in written if "call" in line}
    names = {line["named"]: line["completion"] for line in written if "named" in line}
    fixes = {line["fix"]: line for line in written if "fix" in line}
    by_session = {bill["session_id"]: bill for bill in bills.values()}

    assert by_session.keys() <= {line["conversation"] for line in calls.values()}, "what nobody wrote down"
    assert len(calls) >= len(bills)
    known = 0
    for call_id, line in calls.items():
        # One that ended just before a kill is told by its conversation, and goes by its name there.
        bill = bills.get(line["completion"] or names.get(call_id) or "") or by_session.get(line["conversation"])
        if call_id not in names and line["outcome"] == "unknown":
            assert line["estimated"]  # killed before the provider could name it
            continue
        assert bill is not None
        known += 1
        fix = fixes.get(call_id, {"input": 0, "output": 0, "cost": 0})
        assert line["input"] + fix["input"] == bill["native_tokens_prompt"]
        assert line["output"] + fix["output"] == bill["native_tokens_completion"]
        assert (line["cost"] or 0) + fix["cost"] == pytest.approx(bill["total_cost"])
    assert known > KILLS * 10
    report = await asyncio.to_thread(usage, server, "show", "--json")
    assert report["total"]["calls"] == len(calls)
    assert report["unsettled"] == 0


async def _talk(server: Server, kill: int, number: int) -> None:
    """Begin conversation after conversation, until the server is gone."""
    model = f"mock/bill-n{8 + number}-d{5 * (number % 4)}"
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        try:
            while True:
                message = body(f"Message {kill} {number}", model=model, stream=number % 3 > 0)
                await client.post("/chat", json=message)
        except httpx.HTTPError:
            return


def _wait_until_sure(server: Server) -> None:
    """Wait until each call is settled and corrected as far as it can be; the log grows when a line comes.

    Calls of a server that was killed are settled when its turns are taken over.
    """
    while True:
        written = lines(server)
        over = {line.get("call") or line.get("void") for line in written}
        is_open = any(line["open"] not in over for line in written if "open" in line)
        sure = {line.get("fix") or line.get("sure") for line in written}
        names = {line["named"] for line in written if "named" in line}
        unsure = {
            line["call"]
            for line in written
            if line.get("estimated") and (line["completion"] or line["call"] in names) and line["call"] not in sure
        }
        if not unsure and not is_open and any("call" in line for line in written):
            return
        time.sleep(0.1)


async def test_what_a_cancelled_reply_cost_is_asked_of_the_provider(bill_server: Any, mock_openrouter: Mock) -> None:
    """Scenario 31: the provider charges for what was said, and the ledger says how much."""
    server = bill_server()
    async with server.client() as client:
        message = body("Hi", model="mock/bill-n500-d10")
        async with client.stream("POST", "/chat/stream", json=message) as response:
            turn_id = ""
            async for line in response.aiter_lines():
                if line.startswith("id: "):
                    turn_id = line[4:].partition(":")[0]
                if '"content":"word3 ' in line:
                    break
            status = (await client.post(f"/turns/{turn_id}/cancel")).json()
    async with asyncio.timeout(60):
        await asyncio.to_thread(_wait_until_sure, server)
    [bill] = mock_openrouter.bills()
    report = await asyncio.to_thread(usage, server, "show", "--by", "purpose", "--json")
    [row] = report["rows"]

    assert (status["state"], status["usage"]["is_estimate"], bill["cancelled"]) == ("cancelled", True, True)
    assert (row["name"], row["calls"], row["cancelled"], row["estimated"]) == ("chat", 1, 1, 0)
    assert (row["input_tokens"], row["output_tokens"]) == (
        bill["native_tokens_prompt"],
        bill["native_tokens_completion"],
    )
    assert row["cost"] == pytest.approx(bill["total_cost"])


async def test_the_stop_switch_is_noticed_by_a_running_server(bill_server: Any, mock_openrouter: Mock) -> None:
    server = bill_server()
    await asyncio.to_thread(usage, server, "stop", "--reason", "too dear")
    async with server.client() as client, asyncio.timeout(60):
        while (refused := await client.post("/chat", json=body("Hi"))).status_code == 200:
            pass
        asked = mock_openrouter.stats()["requests"]
        server.restart()
    async with server.client() as client, asyncio.timeout(60):
        still = await client.post("/chat", json=body("Hi"))
        reading = await client.get("/conversations")
        await asyncio.to_thread(usage, server, "resume")
        while (await client.post("/chat", json=body("Hi"))).status_code == 503:
            pass

    for response in (refused, still):
        assert (response.status_code, response.json()["error"]["code"]) == (503, "spending_stopped")
        assert "too dear" in response.json()["error"]["message"]
    assert reading.status_code == 200
    assert mock_openrouter.stats()["requests"] > asked
    assert "Spending goes on" in await asyncio.to_thread(usage, server, "resume")
