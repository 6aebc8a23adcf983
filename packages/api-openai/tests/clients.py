"""Front ends as tests have them: they keep a conversation of their own, and send it as theirs do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import uuid4

import httpx

GREETING = "*She looks up.* Welcome back, traveller; the forest has missed you."

type Say = Callable[[str | None, str], None]
"""Has the model say a text next; the first part alone where it then waits for ever."""


def squeezed(text: str) -> str:
    return "".join(text.split())


@dataclass
class Shown:
    """A message as its user sees it; ``whole`` is what the server has of a reply that was stopped."""

    role: str
    text: str
    whole: str = ""
    is_named: bool = False

    @property
    def sent(self) -> str:
        return f"Ren: {self.text}" if self.is_named else self.text.strip()

    @property
    def path(self) -> str:
        return squeezed(self.whole or self.text)


@dataclass
class Backend:
    """The server, and the model behind it."""

    client: httpx.Client
    script: Say
    wait_for_quiet: Callable[[], None]
    number: int = 0

    def next_reply(self) -> str:
        self.number += 1
        return f"Reply number {self.number}: the forest hums softly as she smiles."

    def ask(self, messages: list[dict[str, str]], headers: dict[str, str], *, stops: bool = False) -> str:
        """Send messages and return the reply; with ``stops`` what came before its user stopped it."""
        reply = self.next_reply()
        body = {"model": "aoi", "messages": messages, "stream": stops}
        if not stops:
            self.script(None, reply)
            answer = self.client.post("/v1/chat/completions", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
            said = answer.json()["choices"][0]["message"]["content"]
        else:
            first = reply[: len(reply) // 2]
            self.script(first, reply)
            said = ""
            with self.client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as stream:
                for line in stream.iter_lines():
                    if line.startswith("data: {"):
                        said += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
                    if said == first:
                        break
            self.wait_for_quiet()
        assert isinstance(said, str)
        return said


@dataclass
class SillyTavern:
    """Sends no id of the conversation; swipes and regenerations look like sends."""

    backend: Backend
    user: str = field(default_factory=lambda: str(uuid4()))
    chats: list[list[Shown]] = field(default_factory=lambda: [[Shown("assistant", GREETING)]])
    at: int = 0
    changed: int = 0
    seen: set[tuple[str, ...]] = field(default_factory=set)

    @property
    def chat(self) -> list[Shown]:
        return self.chats[self.at]

    def _send(self, *, keeps: int, stops: bool = False, nudge: str = "") -> str:
        """Send the newest messages of the chat, ``keeps`` of them at least where it is long enough."""
        chat = self.chat
        start = max(0, len(chat) - keeps) if keeps else 0
        # What the server is to learn, and a reply before it, is not cut off.
        known = max((i for i in range(1, min(self.changed, len(chat))) if chat[i].role == "assistant"), default=0)
        start = min(start, max(0, known - 1)) if known else 0
        messages = [{"role": "system", "content": "Write the next reply. [Start a new Chat]"}]
        messages += [{"role": one.role, "content": one.sent} for one in chat[start:]]
        if nudge:
            messages.append({"role": "system", "content": nudge})
        said = self.backend.ask(messages, {"X-Idolchat-User": self.user}, stops=stops)
        self.changed = len(chat)
        return said

    def _note(self) -> None:
        path = tuple(one.path for one in self.chat)
        self.seen.update(path[: end + 1] for end in range(len(path)))

    def _answer(self, *, keeps: int, stops: bool) -> None:
        said = self._send(keeps=keeps, stops=stops)
        self.chat.append(Shown("assistant", said[:-2] if stops else said, whole=said))
        self._note()

    def has_reply(self, upto: int) -> bool:
        return any(one.role == "assistant" for one in self.chat[1:upto])

    def send(self, text: str, *, keeps: int = 0, stops: bool = False) -> None:
        if self.chat[-1].role == "user":
            return
        if len(self.chat) == 1 and self.seen:
            return  # a chat of a greeting alone is a new one
        self.chat.append(Shown("user", text))
        self._answer(keeps=keeps, stops=stops)

    def swipe(self, *, keeps: int = 0, stops: bool = False) -> None:
        if len(self.chat) < 3 or self.chat[-1].role != "assistant" or self.chat[-2].role != "user":
            return
        is_first = len(self.chat) == 3
        if is_first and (len(self.chats) > 1 or self.changed < 3 or any(len(path) > 3 for path in self.seen)):
            return  # nothing but the first message is sent, which could begin another chat
        self.chat.pop()
        self.changed = min(self.changed, len(self.chat))
        self._answer(keeps=keeps, stops=stops)

    def edit(self, place: int, text: str) -> None:
        asked = [i for i, one in enumerate(self.chat) if one.role == "user" and self.has_reply(len(self.chat))]
        if not asked or self.chat[place := asked[place % len(asked)]].text == text:
            return
        # What follows is sent as it is shown, and so stored once more as that.
        following = [Shown(one.role, one.sent) for one in self.chat[place + 1 :]]
        self.chat[place:] = [Shown("user", text), *following]
        self.changed = min(self.changed, place)

    def delete(self, count: int) -> None:
        left = max(3, len(self.chat) - count)
        if left < len(self.chat) and self.has_reply(left):
            del self.chat[left:]
            self.changed = min(self.changed, left)

    def go_on(self, *, keeps: int = 0) -> None:
        last = self.chat[-1]
        if len(self.chat) < 3 or last.role != "assistant" or last.path != squeezed(last.text):
            return
        self._note()
        said = self._send(keeps=keeps, nudge="[Continue your last message without repeating its original content.]")
        self.chat[-1] = Shown("assistant", f"{last.text} {said}", whole=f"{last.text} {said}")
        self._note()

    def branch(self, place: int) -> None:
        upto = 3 + place % len(self.chat)
        if upto <= len(self.chat) and self.has_reply(upto):
            self.chats.append(list(self.chat[:upto]))
            self.at = len(self.chats) - 1
            self.changed = min(self.changed, upto)

    def switch(self, place: int) -> None:
        self.at = place % len(self.chats)
        self.changed = 0

    def rename(self) -> None:
        self.chats[self.at] = [
            replace(one, is_named=one.is_named or (one.role == "user" and place < self.changed))
            for place, one in enumerate(self.chat)
        ]

    def quiet(self) -> None:
        if self.has_reply(len(self.chat)) and self.chat[-1].role == "assistant":
            changed = self.changed
            self._send(keeps=0, nudge="Sum up the story so far.")
            self.changed = changed


@dataclass
class Node:
    """A message in the tree of Open WebUI."""

    id: str
    role: str
    text: str
    parent: Node | None = None


@dataclass
class OpenWebUI:
    """Keeps a tree, and sends the ids of the chat and of its messages in headers."""

    backend: Backend
    user: str = field(default_factory=lambda: str(uuid4()))
    chat_id: str = field(default_factory=lambda: str(uuid4()))
    nodes: list[Node] = field(default_factory=list)
    at: Node | None = None
    seen: set[tuple[str, ...]] = field(default_factory=set)

    def _path(self, node: Node | None) -> list[Node]:
        path = []
        while node is not None:
            path.append(node)
            node = node.parent
        return path[::-1]

    def _headers(self, message: str, asked: Node, task: str = "") -> dict[str, str]:
        return {
            "X-OpenWebUI-User-Id": self.user,
            "X-Idolchat-Conversation": self.chat_id,
            "X-Idolchat-Message": message,
            "X-Idolchat-User-Message": asked.id,
            "X-Idolchat-Parent": asked.parent.id if asked.parent else "",
            "X-Idolchat-Task": task,
        }

    def _add(self, role: str, text: str, parent: Node | None) -> Node:
        node = Node(str(uuid4()), role, text, parent)
        self.nodes.append(node)
        return node

    def _note(self) -> None:
        path = tuple(squeezed(node.text) for node in self._path(self.at))
        self.seen.update(path[: end + 1] for end in range(len(path)))

    def _answer(self, asked: Node, *, stops: bool) -> None:
        message = str(uuid4())
        messages = [{"role": node.role, "content": node.text} for node in self._path(asked)]
        said = self.backend.ask(messages, self._headers(message, asked), stops=stops)
        self.at = self._add("assistant", said, asked)
        self._note()

    def send(self, text: str, *, stops: bool = False) -> None:
        self._task()
        self._answer(self._add("user", text, self.at), stops=stops)

    def _task(self) -> None:
        said = [{"role": "user", "content": "### Task:\nSuggest follow-ups.\n<chat_history></chat_history>"}]
        asked = Node("", "user", "", None)
        self.backend.ask(said, self._headers("", asked, "follow_up_generation"))

    def regenerate(self, *, stops: bool = False) -> None:
        if self.at is not None and self.at.parent is not None:
            self._answer(self.at.parent, stops=stops)

    def edit(self, place: int, text: str) -> None:
        asked = [node for node in self._path(self.at) if node.role == "user"]
        if asked:
            old = asked[place % len(asked)]
            if all(one.text != text for one in self.nodes if one.parent is old.parent and one.role == "user"):
                self._answer(self._add("user", text, old.parent), stops=False)

    def go_on(self) -> None:
        last = self.at
        if last is None or last.parent is None:
            return
        messages = [{"role": node.role, "content": node.text} for node in self._path(last)]
        said = self.backend.ask(messages, self._headers(last.id, last.parent))
        self.at = self._add("assistant", last.text + said, last.parent)
        self._note()

    def look_at(self, place: int) -> None:
        replies = [node for node in self.nodes if node.role == "assistant"]
        if replies:
            self.at = replies[place % len(replies)]
