import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from pydantic import ValidationError

from idolchat_core.models import Message, branch_positions, new_id, utc_now

TOKYO = timezone(timedelta(hours=9))
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def test_ids_made_later_sort_later() -> None:
    ids = [new_id() for _ in range(1000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    assert {made.version for made in ids} == {7}


def test_the_time_is_aware_and_in_utc() -> None:
    assert utc_now().tzinfo is UTC


@pytest.mark.parametrize("time", [datetime(2025, 6, 1, 12), datetime(2025, 6, 1, 21, tzinfo=TOKYO), NOON])  # noqa: DTZ001
def test_every_time_is_kept_in_utc(time: datetime) -> None:
    message = Message(id=new_id(), role="user", content="hi", timestamp=time)

    assert message.timestamp == NOON
    assert message.timestamp.utcoffset() == timedelta(0)


def test_ids_that_are_no_uuids_are_kept_as_they_are() -> None:
    made = new_id()

    assert Message(id="msg_1", role="user", timestamp=NOON).id == "msg_1"
    assert Message(id=str(made).upper(), role="user", timestamp=NOON).id == UUID(str(made))


def test_unknown_fields_are_kept() -> None:
    message = Message.model_validate({"id": "1", "role": "user", "timestamp": NOON, "mood": {"joy": 1}})

    assert message.model_dump(exclude_unset=True)["mood"] == {"joy": 1}


def test_stored_values_do_not_change() -> None:
    message = Message(id="1", role="user", content="hi", timestamp=NOON)

    with pytest.raises(ValidationError):
        message.content = "bye"  # type: ignore[misc]


def test_threads_make_ids_at_once() -> None:
    """Of which only the newest few thousand are remembered: what one thread forgets is gone for the others."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            made = [one for some in threads.map(lambda _: [new_id() for _ in range(5000)], range(8)) for one in some]
    finally:
        sys.setswitchinterval(before)

    assert len(set(made)) == len(made) == 40_000


def edited(*parents: str) -> tuple[Message, ...]:
    """Make messages a, b, ... that name parents as somebody has written them; "-" names none."""
    given = [{} if parent == "-" else {"parent_id": parent} for parent in parents]
    return tuple(
        Message.model_validate({"id": name, "role": "user", "content": name, "timestamp": NOON, **more})
        for name, more in zip("abcd", given, strict=False)
    )


@pytest.mark.parametrize(
    ("parents", "branch"),
    [
        (["b", "a"], [0, 1]),
        (["a", "b"], [1]),
        (["-", "-", "c"], [2]),
        (["-", "d", "a", "a"], [0, 3]),
        (["nobody", "-"], [0, 1]),
    ],
)
def test_a_parent_that_stands_no_earlier_is_none(parents: list[str], branch: list[int]) -> None:
    messages = edited(*parents)

    assert branch_positions(messages, len(messages) - 1) == branch
