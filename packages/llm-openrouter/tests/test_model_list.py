import asyncio
import logging
from collections.abc import Sequence

import pytest

from idolchat_core import ModelInfo, ProviderUnavailable
from idolchat_llm_openrouter.model_list import ModelList


class Server:
    """Lists what it has, or fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.models: Sequence[ModelInfo] | None = [ModelInfo(id="a")]

    async def list(self) -> Sequence[ModelInfo]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.models is None:
            raise ProviderUnavailable("out of order")
        return self.models


async def test_a_list_is_kept_while_it_is_fresh() -> None:
    server = Server()
    model_list = ModelList(server.list, max_age_s=60)

    assert await model_list.models() is await model_list.models()
    assert server.asked == 1


async def test_an_old_list_is_renewed() -> None:
    server = Server()
    model_list = ModelList(server.list, max_age_s=0)
    await model_list.models()
    server.models = [ModelInfo(id="b")]

    assert await model_list.models() == [ModelInfo(id="b")]


async def test_an_old_list_is_better_than_none(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    model_list = ModelList(server.list, max_age_s=0)
    await model_list.models()
    server.models = None

    with caplog.at_level(logging.WARNING):
        assert await model_list.models() == [ModelInfo(id="a")]
    assert [record.message for record in caplog.records] == ["the list of models could not be renewed"]


async def test_a_failure_is_not_kept() -> None:
    server = Server()
    server.models = None
    model_list = ModelList(server.list, max_age_s=60)
    with pytest.raises(ProviderUnavailable):
        await model_list.models()
    server.models = [ModelInfo(id="a")]

    assert await model_list.models() == [ModelInfo(id="a")]


async def test_those_who_ask_at_once_share_one_request_and_its_failure() -> None:
    server = Server()
    server.models = None
    model_list = ModelList(server.list, max_age_s=60)
    answers = await asyncio.gather(*(model_list.models() for _ in range(5)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [ProviderUnavailable] * 5
    assert server.asked == 1


async def test_closing_stops_a_request() -> None:
    never = asyncio.Event()

    async def wait() -> Sequence[ModelInfo]:
        await never.wait()
        return []

    model_list = ModelList(wait, max_age_s=60)
    asking = asyncio.create_task(model_list.models())
    await asyncio.sleep(0)
    await model_list.close()

    with pytest.raises(asyncio.CancelledError):
        await asking
