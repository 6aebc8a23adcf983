"""Who reads a turn gets the same bytes, whether a delta comes as a delta or as its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_api import TurnForm
from idolchat_api_openai.answers.chat import chat_form
from idolchat_api_openai.responses.form import RequestFacts, response_form
from idolchat_core import Delta, TurnStarted, new_id, utc_now

STARTED = TurnStarted(
    turn_id=new_id(),
    conversation_id=new_id(),
    user_message_id=new_id(),
    message_id=new_id(),
    model="mock/a",
    created_at=utc_now(),
)


@pytest.mark.parametrize(
    "form",
    [chat_form("mock/a%d", includes_usage=True), response_form(RequestFacts(model="mock/a"))],
    ids=["chat completions", "responses"],
)
@given(said=st.lists(st.text(max_size=4), min_size=1, max_size=6), after=st.integers(-1, 8))
def test_texts_and_deltas_are_encoded_alike(form: TurnForm, said: list[str], after: int) -> None:
    of_deltas, of_texts = form.encoder(STARTED), form.encoder(STARTED)

    assert of_deltas.encode(0, [STARTED, *map(Delta, said)], after=after) == (
        of_texts.encode(0, [STARTED], after=after) + of_texts.encode(1, said, after=after)
    )
