"""Make a data folder with many conversations, quickly: their documents are written as local storage would.

    python benchmarks/conversations.py FOLDER [--count 100000] [--users 5000] [--seed 1]

The same seed makes the same conversations. Lengths are as chats have them: most are short, a few very long (the mean is
some 10 messages). They are in English, Korean, Japanese, Chinese, Spanish and Russian, with some of 40 characters,
over two years.
The files are not synced; the index is made when the folder is first used.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from idolchat_core import Conversation, Message
from idolchat_core.storage import document

BEGUN = datetime(2024, 1, 1, tzinfo=UTC)
PERIOD = timedelta(days=730)
WORDS = {
    "en": "the a I you we sing song stage light concert tonight dream voice dance heart smile rain summer star always"
    " never really want tell me about your day practice new album fans thank love hello friend morning coffee",
    "ko": "안녕하세요 오늘 노래 무대 정말 사랑해요 콘서트 연습 친구 내일 하늘 꿈 고마워요 우리 마음 웃음 여름 별",
    "ja": "今日は いい天気 ですね 歌を 歌います 夢 ステージ ありがとう 大好き 明日 練習 友達 声 心 笑顔 夏の 星空 桜",
    "zh": "你好 我的 朋友 今天 天气 很好 唱歌 舞台 梦想 谢谢 喜欢 明天 练习 声音 心 微笑 夏天 星星 音乐 演唱会",
    "es": "hola hoy canción escenario luz concierto noche sueño voz baile corazón sonrisa lluvia verano estrella",
    "ru": "привет сегодня песня сцена свет концерт вечер мечта голос танец сердце улыбка дождь лето звезда всегда друг",
}
MARKS = (". ", "! ", "? ", ", ", " ✨ ")


def text_of(chance: random.Random, vocabulary: list[str], rare: list[str], mean_words: float) -> str:
    count = max(1, round(chance.lognormvariate(0, 0.7) * mean_words))
    words = chance.choices(vocabulary, k=count)
    if chance.random() < 0.3:
        words.append(chance.choice(rare))
    return " ".join(words) + chance.choice(MARKS).strip()


def a_uuid(chance: random.Random, at: datetime) -> UUID:
    """Make a UUIDv7 of a time."""
    value = (
        int(at.timestamp() * 1000) << 80 | 0x7 << 76 | chance.getrandbits(12) << 64 | 0x2 << 62 | chance.getrandbits(62)
    )
    return UUID(int=value)


def conversations(count: int, users: int, seed: int) -> Iterator[Conversation]:
    """Make so many conversations."""
    chance = random.Random(seed)
    owners = [UUID(int=chance.getrandbits(128), version=4) for _ in range(users)]
    characters = [UUID(int=chance.getrandbits(128), version=4) for _ in range(40)]
    vocabularies = {language: words.split() for language, words in WORDS.items()}
    rare = [
        f"{a}{b}{number}" for number in range(50) for a in ("miku", "luna", "astra") for b in ("fan", "tour", "mix")
    ]
    for _ in range(count):
        at = BEGUN + PERIOD * chance.random()
        vocabulary = vocabularies[chance.choice(list(vocabularies))]
        created_at, conversation_id = at, a_uuid(chance, at)
        turns = min(2000, max(1, round(chance.lognormvariate(0.9, 1.1))))
        messages = []
        for turn in range(turns):
            turn_id = a_uuid(chance, at)
            for role, mean_words in (("user", 9.0), ("assistant", 35.0)):
                at += timedelta(seconds=chance.uniform(1, 90))
                message = Message(
                    id=a_uuid(chance, at),
                    role=role,
                    content=text_of(chance, vocabulary, rare, mean_words),
                    timestamp=at,
                    turn_id=turn_id,
                )
                reply = {"model": "test/idol", "finish_reason": "stop"} if role == "assistant" else {}
                messages.append(message.model_copy(update=reply))
            at += timedelta(hours=chance.expovariate(1 / 3)) if turn % 10 == 9 else timedelta()
        yield Conversation(
            id=conversation_id,
            created_at=created_at,
            user_id=owners[int(users * chance.random() ** 2)],
            character_id=chance.choice(characters),
            messages=tuple(messages),
            updated_at=at,
        )


def fill(folder: Path, count: int, users: int, seed: int) -> int:
    """Write the documents, and tell how many bytes they take."""
    size = 0
    for number in range(256):
        (folder / "conversations" / f"{number:02x}").mkdir(parents=True, exist_ok=True)
    for conversation in conversations(count, users, seed):
        name = str(conversation.id)
        data = document.encode(conversation)
        (folder / "conversations" / name[-2:] / f"{name}.json").write_bytes(data)
        size += len(data)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    size = fill(arguments.folder, arguments.count, arguments.users, arguments.seed)
    print(f"{arguments.count:,} conversations, {size / 1e6:,.0f} MB, {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
