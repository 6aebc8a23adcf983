"""What search finds, and what is counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from idolchat_core.errors import InvalidRequest
from idolchat_core.search import SearchHit
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.filters import ConversationFilter
from idolchat_core.testing.storage_rules.making import START, a_conversation, a_message, append

__all__ = ["SearchingRules"]

FOUND = [
    ("concert", "My CONCERT, tonight!"),
    ("conc*", "all concerts"),
    ('"to be or"', "well, to be, or not"),
    ("tonight my", "My CONCERT, tonight!"),
    ("cafe societe", "Café Société"),
    ("안녕", "저기 안녕하세요 친구"),
    ("天気", "今日はいい天気ですね"),
    ("愛", "君を愛してる"),
    ("我的朋友", "你好我的朋友。"),
    ("สวัสดี", "ฉันสวัสดีครับ"),
    ("नमस्ते", "नमस्ते दुनिया"),
    ("don't", "I don't know"),
]
NOT_FOUND = [
    ("conc", "all concerts"),
    ("concert tomorrow", "My concert, tonight!"),
    ('"be to"', "well, to be, or not"),
    ("朋友我", "你好我的朋友。"),
]


class SearchingRules:
    """What search finds, and what is counted."""

    @pytest.mark.parametrize(("query", "text"), FOUND)
    async def test_a_message_is_found_by_what_it_says(self, storage: Storage, query: str, text: str) -> None:
        conversation = a_conversation("first", text, "last")
        await storage.create(conversation)
        await storage.create(a_conversation("Something else, 別の話です"))
        [hit] = (await storage.search(query)).data

        said = conversation.messages[1]
        assert (hit.conversation_id, hit.message_id, hit.position) == (conversation.id, said.id, 1)
        assert (hit.role, hit.timestamp) == (said.role, said.timestamp)
        assert (hit.user_id, hit.character_id) == (conversation.user_id, conversation.character_id)
        assert hit.matches
        assert all(0 <= start < end <= len(hit.snippet) for start, end in hit.matches)

    @pytest.mark.parametrize(("query", "text"), NOT_FOUND)
    async def test_a_message_that_says_something_else_is_not_found(
        self, storage: Storage, query: str, text: str
    ) -> None:
        await storage.create(a_conversation(text))

        assert (await storage.search(query)).data == []

    async def test_what_is_shown_of_a_long_message_holds_the_match(self, storage: Storage) -> None:
        await storage.create(a_conversation("so it goes " * 5000 + "Miku sings" + " and on" * 5000))
        [hit] = (await storage.search("MIKU")).data

        assert [hit.snippet[start:end] for start, end in hit.matches] == ["Miku"]
        assert len(hit.snippet) < 300

    async def test_hits_are_newest_first_and_pages_hold_each_once(self, storage: Storage) -> None:
        texts = [f"miku {number}" for number in range(4)]
        for _ in range(3):
            await storage.create(a_conversation(*texts))
        hits: list[SearchHit] = []
        before: str | None = None
        while True:
            page = await storage.search("miku", limit=5, before=before)
            hits += page.data
            before = page.next
            if before is None:
                break

        assert len({(hit.conversation_id, hit.position) for hit in hits}) == len(hits) == 12
        times = [hit.timestamp for hit in hits]
        assert times == sorted(times, reverse=True)

    async def test_search_keeps_owners_and_times_apart(self, storage: Storage) -> None:
        ann, miku = uuid4(), uuid4()
        mine = a_conversation("miku one", "miku two", "miku three", user_id=ann, character_id=miku)
        await storage.create(mine)
        await storage.create(a_conversation("miku four", user_id="bob", character_id=miku))
        await storage.create(a_conversation("miku five", user_id=ann))
        second, third = START + timedelta(seconds=1), START + timedelta(seconds=2)

        async def found(**filters: Any) -> set[str]:
            return {hit.snippet for hit in (await storage.search("miku", ConversationFilter(**filters))).data}

        assert await found(user_id=ann) == {"miku one", "miku two", "miku three", "miku five"}
        assert await found(user_id=str(ann), character_id=miku) == {"miku one", "miku two", "miku three"}
        assert await found(user_id="bob") == {"miku four"}
        assert await found(user_id="") == set()
        assert await found(user_id=ann, since=second) == {"miku two", "miku three"}
        assert await found(character_id=miku, since=second, until=third) == {"miku two"}

    async def test_search_is_as_new_as_the_last_write(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        await storage.create(conversation)
        assert (await storage.search("two")).data == []

        await append(storage, conversation, a_message("two"))
        assert [hit.position for hit in (await storage.search("two")).data] == [1]

        await storage.put(a_conversation("three", id=conversation.id))
        assert (await storage.search("two")).data == []
        assert [hit.position for hit in (await storage.search("three")).data] == [0]

        await storage.delete(conversation.id)
        assert (await storage.search("three")).data == []

    @pytest.mark.parametrize("text", ["", "  ", '""', "*", "…!?"])
    async def test_a_query_without_a_word_is_refused(self, storage: Storage, text: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await storage.search(text)
        assert refused.value.param == "text"

    @pytest.mark.parametrize(
        "text", ['" OR 1', "a NEAR b", "x AND", "-x", "col:x", "^x", "(x", "x*y*", "'; DROP", "\0x"]
    )
    async def test_a_query_is_words_and_nothing_else(self, storage: Storage, text: str) -> None:
        await storage.create(a_conversation("nothing of the kind"))

        assert (await storage.search(text)).data == []

    async def test_a_search_does_not_guess_what_a_wrong_next_means(self, storage: Storage) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await storage.search("miku", before="2025~x~y")
        assert refused.value.param == "before"

    async def test_stats_count_what_the_list_holds(self, storage: Storage) -> None:
        empty = await storage.stats()
        assert (empty.conversations, empty.messages, empty.first_at, empty.last_at) == (0, 0, None, None)

        miku = uuid4()
        made = [
            a_conversation("one", "two", user_id="ann", character_id=miku),
            a_conversation("three", user_id="ann", character_id="rin", after_s=60),
            a_conversation(user_id="bob", character_id=miku, after_s=120),
        ]
        for conversation in made:
            await storage.create(conversation)
        all_of_it = await storage.stats()
        anns = await storage.stats(ConversationFilter(user_id="ann"))
        second, third = (START + timedelta(seconds=seconds) for seconds in (60, 120))
        lately = await storage.stats(ConversationFilter(since=second, until=third))

        assert (all_of_it.conversations, all_of_it.messages, all_of_it.users, all_of_it.characters) == (3, 3, 2, 2)
        assert (all_of_it.damaged, all_of_it.first_at) == (0, START)
        assert all_of_it.last_at == START + timedelta(seconds=120)
        assert all_of_it.size_bytes is None or all_of_it.size_bytes > 0
        assert (anns.conversations, anns.messages, anns.users, anns.characters) == (2, 3, 1, 2)
        assert (lately.conversations, lately.messages) == (1, 1)
