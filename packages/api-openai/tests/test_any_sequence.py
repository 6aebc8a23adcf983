"""Whatever people do in their front ends, the server's tree is the one that they saw."""

import asyncio
from collections.abc import Generator
from typing import Any
from uuid import UUID

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from clients import GREETING, Backend, OpenWebUI, SillyTavern, squeezed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from v1_trees import paths

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_api_openai import plugin
from idolchat_core import ConversationFilter
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider

TEXTS = st.sampled_from(["Hello", "ok", "Go on.", "Yes: always", "Hello, I am Ren. Where am I?", "何?", "a  b\nc"])
KEEPS = st.sampled_from([0, 0, 0, 4, 6, 9])
PLACES = st.integers(0, 20)
STOPS = st.sampled_from([False, False, False, True])
IN_SILLYTAVERN = st.lists(
    st.one_of(
        st.tuples(st.just("send"), TEXTS, KEEPS, STOPS),
        st.tuples(st.just("send"), TEXTS, KEEPS, STOPS),
        st.tuples(st.just("swipe"), KEEPS, STOPS),
        st.tuples(st.just("edit"), PLACES, TEXTS),
        st.tuples(st.just("delete"), st.integers(1, 4)),
        st.tuples(st.just("go_on"), KEEPS),
        st.tuples(st.just("branch"), PLACES),
        st.tuples(st.just("switch"), PLACES),
        st.tuples(st.just("rename")),
        st.tuples(st.just("quiet")),
    ),
    min_size=1,
    max_size=14,
)
IN_OPEN_WEBUI = st.lists(
    st.one_of(
        st.tuples(st.just("send"), TEXTS, STOPS),
        st.tuples(st.just("send"), TEXTS, STOPS),
        st.tuples(st.just("regenerate"), STOPS),
        st.tuples(st.just("edit"), PLACES, TEXTS),
        st.tuples(st.just("go_on")),
        st.tuples(st.just("look_at"), PLACES),
    ),
    min_size=1,
    max_size=12,
)
examples = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


class World:
    """What a server stands on, and a client of it; ``portal`` runs what needs the server's loop."""

    def __init__(self, storage: InMemoryStorage, provider: ScriptedProvider, portal: BlockingPortal, url: str) -> None:
        self.storage, self.provider = storage, provider
        self._portal = portal
        self.client = httpx.Client(base_url=url, timeout=60)

    def backend(self) -> Backend:
        return Backend(self.client, self._say, self._wait)

    def _say(self, first: str | None, reply: str) -> None:
        self.provider.say([first, asyncio.Event()] if first is not None else [reply])

    def _wait(self) -> None:
        async def quiet() -> None:
            await self.provider.wait_for_replies(0)
            while any(message.role == "user" for message in await self._unanswered()):  # noqa: ASYNC110
                await asyncio.sleep(0)

        self._portal.call(quiet)

    async def _unanswered(self) -> list[Any]:
        newest = await self.storage.list(limit=1)
        conversation = await self.storage.read(newest.data[0].id)
        return [conversation.messages[-1]]

    def nodes(self, user: str) -> tuple[int, list[tuple[str, ...]]]:
        """Return how many conversations a user has, and the path to each message in them, once for each message."""

        async def read() -> list[Any]:
            found = await self.storage.list(ConversationFilter(user_id=UUID(user)), limit=100)
            return [await self.storage.read(one.id) for one in found.data]

        conversations = self._portal.call(read)
        every: list[tuple[str, ...]] = []
        for conversation in conversations:
            known: dict[tuple[str, ...], None] = {}
            for path in paths(conversation):
                texts = tuple(squeezed(text) for text in path)
                known |= dict.fromkeys(texts[: end + 1] for end in range(len(texts)))
            every += known
            assert len(known) == len(conversation.messages), "a message is stored twice"
        return len(conversations), every


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    """A server in a thread of its own, for hypothesis calls its tests again and again without a loop."""
    storage, provider, directory = InMemoryStorage(), ScriptedProvider(), InMemoryDirectory()
    directory.add("aoi", GREETING)
    settings = ApiSettings(data_dir=tmp_path_factory.mktemp("v1"), plugins=())
    served = serving(settings, plugins=[Parts(storage, provider, directory), plugin])
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(served) as url:
        world = World(storage, provider, portal, url)
        with world.client:
            yield world


@examples
@given(steps=IN_SILLYTAVERN)
def test_sillytavern_finds_what_it_saw(world: World, steps: list[Any]) -> None:
    person = SillyTavern(world.backend())
    for name, *given_ in steps:
        act = getattr(person, name)
        if name == "send":
            act(given_[0], keeps=given_[1], stops=given_[2])
        elif name == "swipe":
            act(keeps=given_[0], stops=given_[1])
        elif name == "go_on":
            act(keeps=given_[0])
        else:
            act(*given_)

    count, nodes = world.nodes(person.user)
    assert count == (1 if person.seen else 0), steps
    assert set(nodes) == person.seen, steps


@examples
@given(steps=IN_OPEN_WEBUI)
def test_open_webui_finds_what_it_saw(world: World, steps: list[Any]) -> None:
    person = OpenWebUI(world.backend())
    for name, *given_ in steps:
        act = getattr(person, name)
        if name == "send":
            act(given_[0], stops=given_[1])
        elif name == "regenerate":
            act(stops=given_[0])
        else:
            act(*given_)

    count, nodes = world.nodes(person.user)
    assert count == (1 if person.seen else 0), steps
    assert set(nodes) == person.seen, steps
