"""The storage's answer to a write is lost, and the client sends again what it has sent."""

from typing import Any

import httpx
import pytest
from v1_trees import conversations, paths, said

from idolchat_core import StorageUnavailable
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

SDK = {"x-stainless-lang": "python"}


class LosesAnAnswer(InMemoryStorage):
    """Stores what it is given, and then fails once, as where a connection is lost before the answer has come."""

    is_reached = True

    async def create(self, *arguments: Any) -> str:
        return self._answered(await super().create(*arguments))

    async def append(self, *arguments: Any, **expected: Any) -> str | None:
        return self._answered(await super().append(*arguments, **expected))

    def _answered[T](self, answer: T) -> T:
        if not self.is_reached:
            self.is_reached = True
            raise StorageUnavailable("the connection was lost; send again")
        return answer


@pytest.fixture
def storage() -> LosesAnAnswer:
    return LosesAnAnswer()


@pytest.mark.parametrize("before", [(), ("Hi", "Hello, you there behind the counter.")], ids=["first", "later"])
@pytest.mark.parametrize(
    ("headers", "headers_again"),
    [({}, {}), ({**SDK, "x-stainless-retry-count": "0"}, {**SDK, "x-stainless-retry-count": "1"})],
    ids=["front end", "SDK"],
)
async def test_a_message_whose_storing_was_not_answered_is_stored_once_when_it_is_sent_again(
    client: httpx.AsyncClient,
    storage: LosesAnAnswer,
    provider: ScriptedProvider,
    before: tuple[str, ...],
    headers: dict[str, str],
    headers_again: dict[str, str],
) -> None:
    provider.say(*before[1:], "La la la")
    if before:
        await client.post("/v1/chat/completions", json={"model": "aoi", "messages": said("Hi")}, headers=headers)
    body = {"model": "aoi", "messages": said(*before, "Sing!")}
    storage.is_reached = False
    lost = await client.post("/v1/chat/completions", json=body, headers=headers)
    answered = await client.post("/v1/chat/completions", json=body, headers=headers_again)

    assert [lost.status_code, answered.status_code] == [503, 200]
    (only,) = await conversations(storage)
    assert paths(only) == [(*before, "Sing!", "La la la")]
