"""What is recalled, in which order, and what is not."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from idolchat_core import MemoryIndex, MemoryMessage, MemoryScope, Speaker
from idolchat_memory.recall import InPrompt, Recall, RecallQuery, RecallResult
from idolchat_memory.sqlite import open_sqlite_index

SCOPE, TALK = MemoryScope(user_id="mia", character_id="yui"), UUID(int=1)
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[MemoryIndex]:
    async with open_sqlite_index(tmp_path / "index.sqlite") as index:
        yield index


def said(days_ago: float, text: str, role: Speaker = "user") -> MemoryMessage:
    at = NOW - timedelta(days=days_ago)
    return MemoryMessage(f"{role}-{days_ago}", 0, role, "", at, text)


async def recalled(index: MemoryIndex, text: str, *messages: MemoryMessage, **more: Any) -> RecallResult:
    await index.replace(SCOPE, TALK, messages, revision="1")
    return await Recall(index).search([SCOPE], RecallQuery(text, **{"now": NOW, **more}))


def texts(result: RecallResult) -> list[str]:
    return [item.row.message.text for item in result.items]


DOG, CAKE, RAIN = said(40, "My dog is called Biscuit"), said(20, "We baked a cake"), said(10, "It rained all day")


async def test_what_answers_the_question_comes_first(index: MemoryIndex) -> None:
    result = await recalled(index, "What is the name of my puppy?", DOG, CAKE, RAIN, floor=None)

    assert texts(result)[0] == "My dog is called Biscuit"
    assert "puppy" in result.items[0].matched


async def test_an_empty_scope_gives_nothing(index: MemoryIndex) -> None:
    result = await recalled(index, "dog")

    assert (result.items, result.tokens) == ([], 0)


async def test_small_talk_recalls_nothing(index: MemoryIndex) -> None:
    result = await recalled(index, "Hello, how are you?", DOG, CAKE, RAIN)

    assert texts(result) == []


async def test_what_the_prompt_holds_anyway_is_not_recalled(index: MemoryIndex) -> None:
    result = await recalled(index, "dog", DOG, CAKE, in_prompt=InPrompt(TALK, 0, 1), floor=None)

    assert "My dog is called Biscuit" not in texts(result)


@pytest.mark.parametrize(
    ("question", "role"),
    [
        ("What did you say about the sea?", "assistant"),
        ("Do you remember what I said about the sea?", "user"),
        ("What does Yui like about the sea?", "assistant"),
        ("What does Mia like about the sea?", "user"),
    ],
)
async def test_whom_a_question_speaks_of_decides_whose_words_come_first(
    index: MemoryIndex, question: str, role: str
) -> None:
    both = [said(30, "The sea is calm", "user"), said(20, "The sea is calm", "assistant")]

    result = await recalled(index, question, *both, names=("Mia", "Yui"), floor=None)

    assert result.items[0].row.message.role == role
    assert result.items[0].is_of_speaker


@pytest.mark.parametrize("words", ["last week", "先週", "지난주", "上周"])
async def test_words_for_a_time_keep_to_it(index: MemoryIndex, words: str) -> None:
    old, then = said(60, "dog 犬 개 狗 park"), said(9, "dog 犬 개 狗 garden")

    result = await recalled(index, f"dog 犬 개 狗 {words}", old, then, floor=None)

    assert texts(result) == [then.text]
    assert result.keeps_to_period
    assert result.period
    assert result.period.words == words


async def test_a_time_alone_recalls_what_was_said_then(index: MemoryIndex) -> None:
    yesterday = said(1, "We went to the zoo")

    result = await recalled(index, "What did we do yesterday?", DOG, yesterday, floor=None)

    assert texts(result) == ["We went to the zoo"]


async def test_a_time_when_nothing_was_said_is_not_kept_to(index: MemoryIndex) -> None:
    result = await recalled(index, "Where did my dog go last week?", DOG, CAKE, floor=None)

    assert not result.keeps_to_period
    assert texts(result)[0] == DOG.text


async def test_last_week_of_an_old_message_is_counted_from_that_message(index: MemoryIndex) -> None:
    then = datetime(2023, 5, 17, tzinfo=UTC)
    message = MemoryMessage("old", 0, "user", "", datetime(2023, 5, 9, tzinfo=UTC), "The dog ran away")

    result = await recalled(index, "What did the dog do last week?", message, DOG, now=then, floor=None)

    assert texts(result) == ["The dog ran away"]


async def test_a_time_that_cannot_be_read_changes_nothing_and_is_told(index: MemoryIndex) -> None:
    without = await recalled(index, "Where did my dog go?", DOG, CAKE, floor=None)
    result = await Recall(index).search([SCOPE], RecallQuery("Where did my dog go the other day?", now=NOW, floor=None))

    assert result.vague_words == "the other day"
    assert result.period is None
    assert texts(result)[0] == texts(without)[0]


async def test_the_same_said_again_is_recalled_once_and_as_said_last(index: MemoryIndex) -> None:
    times = [said(days, "My favourite colour is green") for days in (90, 60, 30)]

    result = await recalled(index, "What is my favourite colour?", *times, budget_tokens=1000)

    assert [item.row.message.message_id for item in result.items] == ["user-30"]
    assert result.duplicates == 2


async def test_the_same_with_another_date_is_another_thing(index: MemoryIndex) -> None:
    text = "My next dentist appointment with Doctor Brown in the old town hall is on the {} of May"
    both = [said(days, text.format(date)) for days, date in ((90, 3), (60, 17))]

    result = await recalled(index, "When is my dentist appointment?", *both, budget_tokens=1000)

    assert len(result.items) == 2


async def test_a_newer_statement_stands_above_the_older_one_and_both_are_shown(index: MemoryIndex) -> None:
    old, new = said(200, "I eat only vegetarian food these days"), said(10, "I eat steak and other food these days")

    result = await recalled(index, "Do I eat vegetarian food?", old, new, budget_tokens=1000)

    assert texts(result) == [new.text, old.text]


async def test_a_superseded_statement_is_never_recalled_alone(index: MemoryIndex) -> None:
    old = said(200, "I eat vegetarian food")
    new = said(10, "I eat vegetarian food no more, " + "and now comes a very long explanation of it " * 1)

    result = await recalled(index, "Do I eat vegetarian food?", old, new, budget_tokens=32)

    assert old.text not in texts(result)


async def test_what_is_recalled_stays_within_the_budget(index: MemoryIndex) -> None:
    many = [said(days, f"The dog did trick number {days} " + "again " * days) for days in range(1, 40)]

    result = await recalled(index, "Which trick did the dog do?", *many, budget_tokens=300)

    assert 250 < result.tokens <= 300
    assert result.over_budget > 0


async def test_what_was_said_before_helps_a_question_without_words_of_its_own(index: MemoryIndex) -> None:
    result = await recalled(index, "What was it again?", DOG, CAKE, context="the name of my dog", floor=None)

    assert texts(result)[0] == DOG.text


async def test_an_answer_without_the_words_of_the_question_comes_with_it(index: MemoryIndex) -> None:
    question = MemoryMessage("q", 0, "assistant", "", NOW - timedelta(days=9), "What is your dream job?")
    answer = MemoryMessage("a", 1, "user", "", NOW - timedelta(days=9), "Astronaut, since I was five!")

    result = await recalled(index, "dream job", question, answer, DOG, floor=None)

    assert set(texts(result)[:2]) == {question.text, answer.text}


async def test_a_question_that_was_asked_before_is_not_recalled_but_its_answer_is(index: MemoryIndex) -> None:
    asked = said(5, "What is the name of my dog?")

    result = await recalled(index, "What is the name of my dog?", DOG, CAKE, asked)

    assert texts(result) == [DOG.text]


async def test_of_a_long_message_the_part_that_answers_is_shown(index: MemoryIndex) -> None:
    story = "The rain went on and on. " * 40
    long = said(30, f"{story}My dog is called Biscuit. {story}")

    result = await recalled(index, "What is the name of my dog?", long, budget_tokens=300)

    [item] = result.items
    assert "My dog is called Biscuit." in item.shown
    assert item.shown[0] == item.shown[-1] == "\u2026"
    assert len(item.shown) <= 480
    assert item.row.message.text == long.text
