from collections.abc import AsyncGenerator, Sequence

import pytest

from idolchat_core import CompletionRequest, Delta, Finished, LLMProvider, ModelInfo


class Incomplete(LLMProvider):
    """Knows its models and forgot the rest."""

    async def list_models(self) -> Sequence[ModelInfo]:
        return []


class Complete(Incomplete):
    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Finished]:
        yield Finished(finish_reason="stop")

    async def check(self) -> None:
        return None


def test_a_provider_that_lacks_a_method_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="'check', 'stream'"):
        Incomplete()  # type: ignore[abstract]


def test_a_provider_without_a_default_model_leaves_the_choice_to_its_server() -> None:
    assert Complete().default_model is None


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (CompletionRequest(messages=[]), "model"),
        (Delta("Hi!"), "content"),
        (Finished(finish_reason="stop"), "usage"),
        (ModelInfo(id="a"), "context_length"),
    ],
)
def test_values_do_not_change(value: object, field: str) -> None:
    with pytest.raises(AttributeError):  # what frozen dataclasses raise is one
        setattr(value, field, None)


def test_a_request_asks_for_a_stream_with_no_more_fields_unless_told() -> None:
    request = CompletionRequest(messages=[{"role": "user", "content": "Hi!"}])

    assert (request.stream, request.options, request.model) == (True, {}, None)
