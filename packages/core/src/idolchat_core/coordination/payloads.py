"""Messages as a broker carries them: many in one payload, and one too long for that in several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["JoinedPayloads", "pack"]

SENDERS = 4096
"""How many senders a receiver keeps apart; of more, the one heard of first is forgotten."""


def pack(messages: Sequence[bytes], *, sender: str, number: int, max_bytes: int) -> Iterator[bytes]:
    """Make payloads of at most ``max_bytes`` of a batch of messages; one without messages is a payload, too.

    ``number`` is higher than that of every batch before.
    """
    batch = b"".join([b"%d:%b" % (len(message), message) for message in messages])
    room = max_bytes - len(_header(sender, number, 9_999_999, 9_999_999))
    total = -(-len(batch) // room) or 1
    for index in range(total):
        yield _header(sender, number, index, total) + batch[index * room : (index + 1) * room]


def _header(sender: str, number: int, index: int, total: int) -> bytes:
    return f"{sender} {number} {index} {total}\n".encode()


class JoinedPayloads:
    """Puts batches together again, each once; a batch that lacks a payload is left out."""

    def __init__(self) -> None:
        self._senders: dict[str, _Sender] = {}

    def take(self, payload: bytes) -> tuple[str, list[bytes]] | None:
        """Return the sender and the messages of a batch that is complete. Raises ``ValueError`` for what is none."""
        header, _, part = payload.partition(b"\n")
        name, *numbers = header.decode().split(" ")
        number, index, total = map(int, numbers)
        sender = self._senders.get(name)
        if sender is None:
            if len(self._senders) >= SENDERS:
                del self._senders[next(iter(self._senders))]
            sender = self._senders[name] = _Sender()
        batch = sender.take(part, number=number, index=index, total=total)
        return None if batch is None else (name, list(_messages(batch)))


class _Sender:
    """What has come of the newest batch of a sender."""

    def __init__(self) -> None:
        self._number = -1
        self._parts: list[bytes] = []

    def take(self, part: bytes, *, number: int, index: int, total: int) -> bytes | None:
        if number > self._number:
            self._number, self._parts = number, []
        if number < self._number or index != len(self._parts):
            return None  # told again, or something before it is lost
        self._parts.append(part)
        if index + 1 < total:
            return None
        batch, self._parts = b"".join(self._parts), []
        self._number += 1  # no other part of it is taken
        return batch


def _messages(batch: bytes) -> Iterator[bytes]:
    end = 0
    while end < len(batch):
        begin = batch.index(b":", end) + 1
        length = int(batch[end : begin - 1])
        end = begin + length
        if length < 0 or end > len(batch):
            raise ValueError(f"a message of {length} bytes does not end in a batch of {len(batch)}")
        yield batch[begin:end]
