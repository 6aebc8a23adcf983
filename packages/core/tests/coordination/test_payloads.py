"""Messages packed for a broker and put together again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_core.coordination.payloads import JoinedPayloads, pack

MESSAGES = st.lists(st.binary(max_size=300), max_size=20)


def joined(payloads: list[bytes]) -> list[tuple[str, list[bytes]]]:
    receiver = JoinedPayloads()
    return [batch for payload in payloads if (batch := receiver.take(payload)) is not None]


@given(messages=MESSAGES, max_bytes=st.integers(80, 400))
def test_a_batch_comes_back_as_it_was(messages: list[bytes], max_bytes: int) -> None:
    payloads = list(pack(messages, sender="me", number=1, max_bytes=max_bytes))

    assert joined(payloads) == [("me", messages)]
    assert max(map(len, payloads)) <= max_bytes


@given(batches=st.lists(MESSAGES, max_size=5), data=st.data())
def test_whatever_is_lost_or_doubled_a_batch_arrives_whole_and_once_or_not_at_all(
    batches: list[list[bytes]], data: st.DataObject
) -> None:
    sent = [
        payload
        for number, messages in enumerate(batches)
        for payload in pack(messages, sender="me", number=number, max_bytes=100)
    ]
    times = data.draw(st.lists(st.integers(0, 2), min_size=len(sent), max_size=len(sent)))
    arrived = [messages for _, messages in joined([p for p, n in zip(sent, times, strict=True) for _ in range(n)])]

    remaining = iter(batches)
    assert all(any(messages == batch for batch in remaining) for messages in arrived)
    assert len(arrived) >= sum(
        all(times[i] for i, p in enumerate(sent) if p.split(b" ")[1] == b"%d" % number)
        for number in range(len(batches))
    )


def test_senders_are_kept_apart() -> None:
    one, two = (list(pack([b"x" * 100], sender=name, number=1, max_bytes=90)) for name in ("one", "two"))
    mixed = [payload for pair in zip(one, two, strict=True) for payload in pair]

    assert joined(mixed) == [("one", [b"x" * 100]), ("two", [b"x" * 100])]


@pytest.mark.parametrize(
    "payload", [b"", b"me 1\nx", b"me 1 0 1\n5:x:", b"me 1 0 1\n-1:", b"me one 0 1\n", b"me 1 0 1\nx", b"\xff 1 0 1\n"]
)
def test_what_is_no_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        JoinedPayloads().take(payload)
