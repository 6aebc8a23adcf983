"""OpenAI's own client for Python, unmodified, against a real server."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import openai
import pytest
from v1_trees import active, conversations, paths

from idolchat_api import ApiSettings
from idolchat_api.testing import NewKey
from idolchat_core import Delta, Finished, ProviderUnavailable, RateLimited
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}


@pytest.fixture
async def sdk(url: str) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as sdk:
        yield sdk


def calling() -> list[Any]:
    return [Delta("", {"tool_calls": [CALL]}), Finished(finish_reason="tool_calls")]


def user(text: str) -> Any:
    return {"role": "user", "content": text}


async def test_models(sdk: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in await sdk.models.list()] == ["aoi", "raw/scripted/model"]
    assert (await sdk.models.retrieve("aoi")).owned_by


async def test_chat(sdk: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.say("Good day")

    reply = await sdk.chat.completions.create(model="aoi", messages=[user("Hello")])

    assert reply.choices[0].message.content == "Good day"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


async def test_stream(sdk: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.say("Good day to you")

    stream = await sdk.chat.completions.create(
        model="aoi", messages=[user("Hello")], stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Good day to you"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4


async def test_tools(sdk: openai.AsyncOpenAI, provider: ScriptedProvider, storage: InMemoryStorage) -> None:
    provider.say(calling(), "It rains.")
    history: list[Any] = [user("How is the weather?")]

    first = await sdk.chat.completions.create(model="aoi", messages=history, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    history += [
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    second = await sdk.chat.completions.create(model="aoi", messages=history, tools=[WEATHER])

    assert second.choices[0].message.content == "It rains."
    assert [message["role"] for message in provider.requests[1].messages] == ["user", "assistant", "tool"]
    named = {"conversation_id": str((await conversations(storage))[0].id)}
    assert named["conversation_id"] == (first.model_extra or {})["conversation_id"]


async def test_tools_in_a_stream(sdk: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.say(calling())

    stream = await sdk.chat.completions.create(
        model="aoi", messages=[user("How is the weather?")], tools=[WEATHER], stream=True
    )
    chunks = [chunk async for chunk in stream]

    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert [(call.function.name, call.function.arguments) for call in calls if call.function] == [
        ("weather", '{"city":"Oslo"}')
    ]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_images(sdk: openai.AsyncOpenAI, provider: ScriptedProvider, storage: InMemoryStorage) -> None:
    shown: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]
    provider.say("A picture of a lighthouse at dawn, I think.")

    first = await sdk.chat.completions.create(model="aoi", messages=[{"role": "user", "content": shown}])
    history: Any = [
        {"role": "user", "content": shown},
        {"role": "assistant", "content": first.choices[0].message.content},
        user("Are you sure?"),
    ]
    await sdk.chat.completions.create(model="aoi", messages=history)

    assert provider.requests[0].messages[0]["content"] == shown
    (only,) = await conversations(storage)
    assert len(only.messages) == 4


async def test_errors(sdk: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await sdk.chat.completions.create(model="nobody", messages=[user("Hello")])
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as wrong:
        await sdk.chat.completions.create(model="aoi", messages=[user("Hello")], n=2)
    assert wrong.value.param == "n"
    provider.say([ProviderUnavailable("away")])
    with pytest.raises(openai.InternalServerError) as away:
        await sdk.chat.completions.create(model="aoi", messages=[user("Hello there")])
    assert away.value.code == "provider_unavailable"
    provider.say([Delta("Well, "), ProviderUnavailable("away")])
    with pytest.raises(openai.APIError) as cut:
        async for _ in await sdk.chat.completions.create(model="aoi", messages=[user("And you?")], stream=True):
            pass
    assert cut.value.code == "provider_unavailable"


async def test_retries(url: str, provider: ScriptedProvider, storage: InMemoryStorage) -> None:
    provider.say([RateLimited("too fast", retry_after_s=0.01)], "Here I am")

    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=2) as sdk:
        reply = await sdk.chat.completions.create(
            model="aoi", messages=[user("Hello")], metadata={"conversation_id": "c"}
        )

    assert reply.choices[0].message.content == "Here I am"
    (only,) = await conversations(storage)
    assert [message.role for message in only.messages] == ["user", "assistant", "assistant"]


async def test_a_request_that_is_sent_again_while_its_turn_runs_joins_it(
    sdk: openai.AsyncOpenAI, provider: ScriptedProvider, storage: InMemoryStorage
) -> None:
    hold = asyncio.Event()
    provider.say(["One ", hold, "reply"], "Another")
    asked: Any = {"model": "aoi", "messages": [user("Hello")], "metadata": {"conversation_id": "c"}}

    first = asyncio.create_task(sdk.chat.completions.create(**asked))
    await provider.wait_for_replies(1)
    second = await sdk.chat.completions.create(**asked, stream=True)
    said = (await anext(second)).choices[0].delta.content or ""
    hold.set()
    said += "".join([chunk.choices[0].delta.content or "" async for chunk in second])

    assert (await first).choices[0].message.content == said == "One reply"
    assert len(provider.requests) == 1
    assert len((await conversations(storage))[0].messages) == 2


async def test_abort(sdk: openai.AsyncOpenAI, provider: ScriptedProvider, storage: InMemoryStorage) -> None:
    provider.say(["Once ", "upon ", asyncio.Event()], "I said: once upon a time, and so on.")
    named: Any = {"metadata": {"conversation_id": "c"}}

    stream = await sdk.chat.completions.create(model="aoi", messages=[user("Tell")], stream=True, **named)
    said = ""
    async for chunk in stream:
        said += chunk.choices[0].delta.content or ""
        if said == "Once upon ":
            break
    await stream.close()
    await provider.wait_for_replies(0)
    history: Any = [user("Tell"), {"role": "assistant", "content": "Once upon"}, user("Go on")]
    await sdk.chat.completions.create(model="aoi", messages=history, **named)

    (only,) = await conversations(storage)
    assert active(only) == ("Tell", "Once upon ", "Go on", "I said: once upon a time, and so on.")


async def test_a_program_that_says_the_same_again_begins_anew(
    sdk: openai.AsyncOpenAI, storage: InMemoryStorage
) -> None:
    for _ in range(2):
        await sdk.chat.completions.create(model="aoi", messages=[user("Hello")])
        await sdk.responses.create(model="aoi", input="Hello")

    assert len(await conversations(storage)) == 4


async def test_a_text_of_the_assistant_is_continued(
    sdk: openai.AsyncOpenAI, provider: ScriptedProvider, storage: InMemoryStorage
) -> None:
    provider.say("Once upon a time there was a lighthouse.", " It was tall.")
    first = await sdk.chat.completions.create(model="aoi", messages=[user("Tell")])
    said = first.choices[0].message.content

    history: Any = [user("Tell"), {"role": "assistant", "content": said}]
    more = await sdk.chat.completions.create(model="aoi", messages=history)

    assert more.choices[0].message.content == " It was tall."
    (only,) = await conversations(storage)
    assert paths(only) == [("Tell", said), ("Tell", f"{said} It was tall.")]


class TestResponses:
    """``client.responses``."""

    async def test_create(self, sdk: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
        provider.say("Good day")

        response = await sdk.responses.create(model="aoi", input="Hello")

        assert response.output_text == "Good day"
        assert response.status == "completed"
        assert response.usage is not None
        assert response.usage.output_tokens == 2

    async def test_one_after_another(
        self, sdk: openai.AsyncOpenAI, provider: ScriptedProvider, storage: InMemoryStorage
    ) -> None:
        first = await sdk.responses.create(model="aoi", input="One")
        second = await sdk.responses.create(model="aoi", input="Two", previous_response_id=first.id)
        await sdk.responses.create(model="aoi", input="Three", previous_response_id=second.id)
        await sdk.responses.create(model="aoi", input="Another two", previous_response_id=first.id)

        (only,) = await conversations(storage)
        assert set(paths(only)) == {
            ("One", "One", "Two", "Two", "Three", "Three"),
            ("One", "One", "Another two", "Another two"),
        }

    async def test_a_conversation(
        self, sdk: openai.AsyncOpenAI, provider: ScriptedProvider, storage: InMemoryStorage
    ) -> None:
        begun = await sdk.conversations.create(metadata={"topic": "demo"})
        assert (await sdk.conversations.retrieve(begun.id)).metadata == {"topic": "demo"}

        for text in ("One", "Two"):
            await sdk.responses.create(model="aoi", input=text, conversation=begun.id)

        (only,) = await conversations(storage)
        assert only.id == UUID(begun.id.removeprefix("conv_"))
        assert active(only) == ("One", "One", "Two", "Two")
        items = [item async for item in await sdk.conversations.items.list(begun.id, order="asc")]
        assert [getattr(item, "role", None) for item in items] == ["user", "assistant"] * 2
        await sdk.conversations.delete(begun.id)
        assert not await storage.list_ids()
        with pytest.raises(openai.NotFoundError):
            await sdk.conversations.retrieve(begun.id)

    async def test_a_history_that_is_sent_whole_is_recognised(
        self, sdk: openai.AsyncOpenAI, provider: ScriptedProvider, storage: InMemoryStorage
    ) -> None:
        provider.say("A reply that is long enough to be known again.")
        first = await sdk.responses.create(model="aoi", input="One")
        history: Any = [user("One"), {"role": "assistant", "content": first.output_text}, user("Two")]
        await sdk.responses.create(model="aoi", input=history)
        referred: Any = [user("One"), {"type": "item_reference", "id": first.output[0].id}, user("Three")]
        await sdk.responses.create(model="aoi", input=referred)

        (only,) = await conversations(storage)
        assert len(only.messages) == 6

    async def test_stream(self, sdk: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
        provider.say("Good day to you")

        events = [event async for event in await sdk.responses.create(model="aoi", input="Hello", stream=True)]

        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert [event.type for event in events if event.type != "response.output_text.delta"] == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
        assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "Good day to you"

    async def test_the_streaming_helper(self, sdk: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
        provider.say("Good day to you")

        async with sdk.responses.stream(model="aoi", input="Hello") as stream:
            response = await stream.get_final_response()

        assert response.output_text == "Good day to you"

    async def test_tools(self, sdk: openai.AsyncOpenAI, provider: ScriptedProvider, storage: InMemoryStorage) -> None:
        provider.say(calling(), "It rains.")
        tools: Any = [{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": None}]

        first = await sdk.responses.create(model="aoi", input="How is the weather?", tools=tools)
        (call,) = first.output
        assert call.type == "function_call"
        assert (call.name, call.arguments) == ("weather", '{"city":"Oslo"}')
        output: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
        second = await sdk.responses.create(model="aoi", input=output, previous_response_id=first.id, tools=tools)

        assert second.output_text == "It rains."
        assert provider.requests[0].options["tools"][0]["function"]["name"] == "weather"
        assert [message["role"] for message in provider.requests[1].messages] == ["user", "assistant", "tool"]

    async def test_what_is_not_to_be_stored_is_not(
        self, sdk: openai.AsyncOpenAI, provider: ScriptedProvider, storage: InMemoryStorage
    ) -> None:
        await sdk.responses.create(model="aoi", input="Hello", store=False)
        assert not await storage.list_ids()
        first = await sdk.responses.create(model="aoi", input="One")

        await sdk.responses.create(model="aoi", input="Two", previous_response_id=first.id, store=False)

        assert [message["content"] for message in provider.requests[-1].messages] == ["One", "One", "Two"]
        (only,) = await conversations(storage)
        assert len(only.messages) == 2

    async def test_what_was_stored_before_is_sent_on_as_it_is(
        self, sdk: openai.AsyncOpenAI, provider: ScriptedProvider, storage: InMemoryStorage
    ) -> None:
        first = await sdk.responses.create(model="aoi", input="One")
        (stored,) = await conversations(storage)
        old = [{"text": "One, as an older version kept it"}]
        said = (stored.messages[0].model_copy(update={"content": old}), *stored.messages[1:])
        await storage.put(stored.model_copy(update={"messages": said}))

        await sdk.responses.create(model="aoi", input="Two", previous_response_id=first.id, store=False)

        assert [message["content"] for message in provider.requests[-1].messages] == [old, "One", "Two"]

    async def test_read_and_delete(self, sdk: openai.AsyncOpenAI, storage: InMemoryStorage) -> None:
        first = await sdk.responses.create(model="aoi", input="One")
        assert (await sdk.responses.retrieve(first.id)).output_text == "One"

        await sdk.responses.delete(first.id)

        (only,) = await conversations(storage)
        assert only.messages[1].content is None
        with pytest.raises(openai.NotFoundError):
            await sdk.responses.retrieve(first.id)

    async def test_errors(self, sdk: openai.AsyncOpenAI) -> None:
        for fields in (
            {"previous_response_id": f"resp_{uuid4().hex}"},
            {"previous_response_id": "x", "conversation": "conv_1"},
            {"tools": [{"type": "web_search"}]},
            {"background": True},
            {"input": [{"type": "item_reference", "id": f"msg_{uuid4().hex}"}]},
        ):
            with pytest.raises(openai.BadRequestError):
                await sdk.responses.create(**{"model": "aoi", "input": "Hello", **fields})  # type: ignore[call-overload]
        with pytest.raises(openai.NotFoundError):
            await sdk.responses.create(model="aoi", input="Hello", conversation=f"conv_{uuid4().hex}")

    async def test_the_stream_says_what_failed(self, sdk: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
        provider.say([Delta("Well, "), ProviderUnavailable("away")])

        events = [event async for event in await sdk.responses.create(model="aoi", input="Hello", stream=True)]

        assert events[-1].type == "response.failed"
        assert events[-1].response.error is not None
        assert str(events[-1].response.error.code) == "provider_unavailable"


class TestUsers:
    """A server with a login: what is one user's is nobody else's."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"auth": "api-key"})

    async def test_no_one_elses_responses_and_conversations(self, url: str, new_key: NewKey) -> None:
        keys = [(await new_key(user_id=uuid4()))["Authorization"].removeprefix("Bearer ") for _ in range(2)]
        ana, ben = [openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) for key in keys]
        async with ana, ben:
            hers = await ana.responses.create(model="aoi", input="One")
            begun = await ana.conversations.create()

            for call in (
                ben.responses.retrieve(hers.id),
                ben.responses.delete(hers.id),
                ben.responses.cancel(hers.id),
                ben.conversations.retrieve(begun.id),
                ben.conversations.delete(begun.id),
                ben.responses.create(model="aoi", input="Two", conversation=begun.id),
            ):
                with pytest.raises(openai.NotFoundError):
                    await call
            with pytest.raises(openai.BadRequestError):
                await ben.responses.create(model="aoi", input="Two", previous_response_id=hers.id)
            with pytest.raises(openai.AuthenticationError):
                await ben.with_options(api_key="idol_wrong").models.list()
            assert (await ana.responses.retrieve(hers.id)).output_text == "One"
