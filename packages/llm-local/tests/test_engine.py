"""The life of the model: loaded ahead, shared, stopped, started again."""

from __future__ import annotations

import asyncio
import shutil
import signal
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from idolchat_core import ConfigurationError, Delta, Finished, ProviderUnavailable, ReplyCut
from idolchat_core.testing import asking, collect
from idolchat_llm_local import LocalProvider, LocalSettings, open_local_llm
from idolchat_llm_local.weights import find_weights

LONG = asking("Write a very long story about the sea.", max_tokens=900)
SHORT = asking("Say hello.", max_tokens=4)


async def _child() -> psutil.Process:
    while not (children := psutil.Process().children()):  # noqa: ASYNC110 - nobody announces a process
        await asyncio.sleep(0)
    return children[0]


def _changed(settings: LocalSettings, **changes: object) -> LocalSettings:
    return settings.model_copy(update=changes)


@pytest.fixture
def damaged(settings: LocalSettings, tmp_path: Path) -> Path:
    """Return a model whose last half is missing."""
    path = tmp_path / "damaged.gguf"
    shutil.copy(find_weights(settings).path, path)
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size // 2)
    return path


async def test_the_loop_turns_while_the_model_loads_and_answers(settings: LocalSettings) -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.005)
            turns += 1

    turning = asyncio.create_task(turn())
    async with open_local_llm(settings) as provider:
        turns_before = turns
        async with aclosing(provider.stream(asking("Tell me a story.", max_tokens=40))) as reply:
            await anext(reply)
            turns_loading = turns - turns_before
            assert isinstance([piece async for piece in reply][-1], Finished)
        turning.cancel()

    assert turns_before <= 1  # opening does not wait for the model
    assert turns_loading > 10
    assert turns > turns_loading + 10


async def test_a_request_waits_for_the_model(settings: LocalSettings) -> None:
    async with open_local_llm(settings) as provider:
        assert isinstance((await collect(provider, SHORT))[-1], Finished)


async def test_a_model_that_loads_for_long_is_told_by_check(settings: LocalSettings) -> None:
    async with open_local_llm(settings) as provider:
        process = await _child()
        process.suspend()
        with pytest.raises(ProviderUnavailable, match="still loading"):
            await provider.check()
        process.resume()

        assert isinstance((await collect(provider, SHORT))[-1], Finished)


async def test_a_damaged_model_is_told_by_check_and_by_requests(settings: LocalSettings, damaged: Path) -> None:
    async with open_local_llm(_changed(settings, model=damaged)) as provider:
        told = r"IDOLCHAT_LOCAL_MODEL.*damaged\.gguf.*corrupted or incomplete"
        with pytest.raises(ConfigurationError, match=told):
            await provider.check()
        with pytest.raises(ConfigurationError, match=told):
            await collect(provider, SHORT)


async def test_a_damaged_model_that_is_mended_answers(settings: LocalSettings, damaged: Path) -> None:
    async with open_local_llm(_changed(settings, model=damaged)) as provider:
        with pytest.raises(ConfigurationError):
            await provider.check()
        shutil.copy(find_weights(settings).path, damaged)

        assert isinstance((await collect(provider, SHORT))[-1], Finished)


async def test_a_process_that_dies_cuts_its_replies_and_is_replaced(
    provider: LocalProvider, worker: psutil.Process
) -> None:
    async with aclosing(provider.stream(LONG)) as reply:
        await anext(reply)
        worker.kill()
        with pytest.raises(ReplyCut, match="SIGKILL"):
            async for _ in reply:
                pass

    assert isinstance((await collect(provider, SHORT))[-1], Finished)
    assert (await _child()).pid != worker.pid


async def test_a_process_that_dies_while_loading_is_told(settings: LocalSettings) -> None:
    async with open_local_llm(settings) as provider:
        (await _child()).send_signal(signal.SIGILL)

        with pytest.raises(ProviderUnavailable, match=r"SIGILL.*AVX2.*while loading"):
            await provider.check()


async def test_closing_amid_loading_leaves_no_process(settings: LocalSettings) -> None:
    async with open_local_llm(settings):
        process = await _child()

    assert not process.is_running()


async def test_closing_amid_a_reply_leaves_no_process(settings: LocalSettings) -> None:
    async with open_local_llm(settings) as provider:
        reply = provider.stream(LONG)
        await anext(reply)
        process = await _child()

    assert not process.is_running()
    with pytest.raises(ReplyCut):
        async for _ in reply:
            pass


@pytest.mark.parametrize(("parallel", "overlap"), [(1, False), (2, True)])
async def test_so_many_replies_are_made_at_a_time(settings: LocalSettings, parallel: int, overlap: bool) -> None:
    order: list[str] = []
    spoke = asyncio.Event()

    async def read(name: str, tokens: int) -> None:
        async for piece in provider.stream(asking("Tell me a story.", max_tokens=tokens, ignore_eos=True)):
            order.append(f"{name} goes on" if isinstance(piece, Delta) else f"{name} ends")
            spoke.set()

    async with open_local_llm(_changed(settings, parallel=parallel)) as provider:
        first = asyncio.create_task(read("first", 40))
        await spoke.wait()
        await asyncio.gather(first, read("second", 4))

    assert (order.index("second goes on") < order.index("first ends")) is overlap


async def test_a_cancelled_turn_makes_room_for_the_next(settings: LocalSettings) -> None:
    async with open_local_llm(_changed(settings, parallel=1)) as provider:
        async with aclosing(provider.stream(LONG)) as cancelled:
            await anext(cancelled)
            waiting, next_one = (asyncio.create_task(collect(provider, request)) for request in (LONG, SHORT))
            await asyncio.sleep(0)
            waiting.cancel()

        assert isinstance((await next_one)[-1], Finished)


async def test_more_threads_are_taken_when_asked_for(settings: LocalSettings) -> None:
    counts = []
    for threads in (1, 8):
        async with open_local_llm(_changed(settings, threads=threads)) as provider:
            await collect(provider, SHORT)
            counts.append((await _child()).num_threads())

    assert counts[1] - counts[0] > 4  # give or take one that is just ending


async def test_layers_can_be_kept_off_the_gpu(settings: LocalSettings) -> None:
    async with open_local_llm(_changed(settings, gpu_layers=0)) as provider:
        assert isinstance((await collect(provider, SHORT))[-1], Finished)


@pytest.mark.parametrize(("length", "found"), [(512, 512), (99_999, 8192)])
async def test_the_context_is_as_long_as_asked_for_and_no_longer_than_the_model_s(
    settings: LocalSettings, length: int, found: int
) -> None:
    changed = _changed(settings, context_length=length, parallel=1)
    async with open_local_llm(changed) as provider:
        assert [model.context_length for model in await provider.list_models()] == [found]
        assert isinstance((await collect(provider, SHORT))[-1], Finished)


@pytest.mark.parametrize(("cache_mib", "is_kept"), [(64, True), (0, False)])
async def test_a_conversation_goes_on_where_it_was_after_another(
    settings: LocalSettings, cache_mib: int, is_kept: bool
) -> None:
    cached = []
    async with open_local_llm(_changed(settings, cache_mib=cache_mib, parallel=1)) as provider:
        for name in ("sea", "mountain", "sea"):
            end = (await collect(provider, asking(f"The {name} is my home. " * 30, max_tokens=2)))[-1]
            assert isinstance(end, Finished)
            assert end.usage is not None
            cached.append(end.usage.cached_tokens or 0)

    assert (cached[2] > 150) is is_kept
