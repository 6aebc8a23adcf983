"""What was spent, day by day."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import NewKey
from idolchat_core.testing import InMemoryStorage

MINE, YOURS = uuid4(), uuid4()


async def spent(storage: InMemoryStorage, day: str, user: UUID, *, calls: int = 1) -> None:
    """Write calls into the ledger of a day."""
    for number in range(calls):
        call = f"{day}-{user}-{number}"
        facts = f'"purpose":"turn","turn":null,"conversation":null,"user":"{user}","key":null,"model":"m"'
        at = f'"at":"{day}T12:00:00+00:00"'
        figures = '"outcome":"completed","completion":null,"input":10,"output":2,"cost":0.5,"estimated":false'
        lines = f'{{"open":"{call}",{at},{facts}}}\n{{"call":"{call}",{at},{facts},"ended":"",{figures}}}\n'
        await storage.append_log("spending", day, lines.encode(), durable=True)


async def test_days_are_told_oldest_first_and_added_up(client: httpx.AsyncClient, storage: InMemoryStorage) -> None:
    await spent(storage, "2026-11-28", MINE, calls=2)
    await spent(storage, "2026-11-27", YOURS)
    report = (await client.get("/usage", params={"since": "2026-11-01", "until": "2026-11-28"})).json()

    assert [(day["day"], day["calls"], day["input_tokens"], day["cost"]) for day in report["data"]] == [
        ("2026-11-27", 1, 10, 0.5),
        ("2026-11-28", 2, 20, 1.0),
    ]


async def test_without_days_it_is_the_last_thirty(client: httpx.AsyncClient, storage: InMemoryStorage) -> None:
    report = (await client.get("/usage")).json()
    today = datetime.now(UTC).date().toordinal()

    days = [datetime.fromisoformat(report[name]).date().toordinal() for name in ("since", "until")]
    assert days[1] - days[0] == 29
    assert today - days[1] in (0, -1)  # midnight may have passed


@pytest.mark.parametrize("since", ["2026-11-29", "2025-11-28"])
async def test_too_many_days_and_days_in_the_wrong_order_are_refused(client: httpx.AsyncClient, since: str) -> None:
    reply = await client.get("/usage", params={"since": since, "until": "2026-11-28"})

    assert (reply.status_code, reply.json()["error"]["param"]) == (422, "since")


class TestWithALogin:
    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"auth": "api-key"})

    async def test_a_user_is_told_of_their_own_and_a_back_end_of_all(
        self, client: httpx.AsyncClient, storage: InMemoryStorage, new_key: NewKey
    ) -> None:
        await spent(storage, "2026-11-28", MINE)
        await spent(storage, "2026-11-28", YOURS, calls=3)
        mine, back_end = await new_key(user_id=MINE), await new_key("read")

        async def calls(headers: dict[str, str], **more: str) -> int:
            query = {"until": "2026-11-28", **more}
            return int((await client.get("/usage", params=query, headers=headers)).json()["data"][0]["calls"])

        assert (await calls(mine), await calls(back_end), await calls(back_end, user_id=str(YOURS))) == (1, 4, 3)
        refused = await client.get("/usage", params={"user_id": str(YOURS)}, headers=mine)
        assert refused.status_code == 403
