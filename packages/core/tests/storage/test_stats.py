from idolchat_core.storage.pagination import summary
from idolchat_core.storage.stats import StatsCounter
from idolchat_core.testing import a_conversation


def test_owners_are_counted_once_and_nobody_is_not_counted() -> None:
    census = StatsCounter()
    for user_id, character_id in (("ann", "miku"), ("ann", "rin"), (None, "rin")):
        census.add(summary(a_conversation("hi", user_id=user_id, character_id=character_id)))
    stats = census.result(size_bytes=5)

    assert (stats.conversations, stats.messages, stats.users, stats.characters, stats.size_bytes) == (3, 3, 1, 2, 5)
