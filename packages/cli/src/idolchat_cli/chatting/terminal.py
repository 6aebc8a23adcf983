"""A conversation in the terminal: a prompt, the reply as it streams, the prompt again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from rich.console import Console
from rich.text import Text

from idolchat_cli.chatting.interrupts import Interrupts
from idolchat_cli.chatting.keys import unseen_keys
from idolchat_cli.chatting.reply_view import ReplyView
from idolchat_cli.chatting.slash_commands import HELP, SlashCommand, read_command
from idolchat_cli.chatting.talk import Talk, shortfall
from idolchat_cli.printable import printable
from idolchat_core.errors import IdolchatError
from idolchat_core.events.events import TurnEnded, TurnState
from idolchat_core.models import Message

__all__ = ["Terminal"]

PROMPT = "> "


class Terminal:
    """Talks until the user leaves."""

    def __init__(self, talk: Talk, *, console: Console, interrupts: Interrupts) -> None:
        self._talk = talk
        self._console = console
        self._interrupts = interrupts
        self._lines: PromptSession[str] = PromptSession(
            PROMPT, multiline=True, prompt_continuation=" " * len(PROMPT), key_bindings=_keys()
        )
        self._again: Callable[..., Awaitable[TurnEnded]] | None = None

    def show_earlier(self, messages: Sequence[Message]) -> None:
        """Show the end of the conversation that goes on."""
        for message in messages:
            text = printable(_text(message))
            if text:
                self._note(f"{PROMPT}{text}" if message.role == "user" else f"{text}\n")
        if len(self._talk.greetings) > 1:
            self._note(f"This is one of {len(self._talk.greetings)} greetings; /greeting 2 takes the next.\n")

    async def run(self) -> None:
        """Read messages and answer them until the user leaves by Ctrl-D, or by Ctrl-C on an empty line."""
        while True:
            try:
                text = await self._lines.prompt_async(handle_sigint=False, set_exception_handler=False)
            except (EOFError, KeyboardInterrupt):
                return
            match read_command(text):
                case SlashCommand(name="quit"):
                    return
                case SlashCommand() as command:
                    await self._obey(command)
                case said if said.strip():
                    await self._take_turn(partial(self._talk.say, said))
                case _ if self._again:
                    await self._take_turn(self._again)

    async def _obey(self, command: SlashCommand) -> None:
        match command:
            case ("help", _):
                self._note(f"{HELP}\n")
            case ("retry", _):
                await self._take_turn(self._again or self._talk.ask_again)
            case ("regenerate", _):
                await self._take_turn(self._talk.regenerate)
            case ("edit", text) if text:
                await self._take_turn(partial(self._talk.edit, text))
            case ("greeting", number) if number.isdecimal():
                await self._try(self._choose_greeting(int(number)))
            case ("new", _):
                self._again = None
                await self._try(self._begin_anew())
            case ("model", name):
                self._talk.choose_model(name or None)
                self._note(f"{printable(name) or 'The model of the settings'} answers from now on.\n")
            case _:
                self._note("Nothing was sent: this is no command, or it lacks its text. /help lists them.\n")

    async def _begin_anew(self) -> None:
        greeting = await self._talk.begin_anew()
        self._note("What you say next begins another conversation.\n" if not greeting else "Another conversation:\n")
        self.show_earlier(greeting)

    async def _choose_greeting(self, number: int) -> None:
        self._note(f"{printable(_text(await self._talk.choose_greeting(number)))}\n")

    async def _try(self, work: Awaitable[None]) -> None:
        try:
            await work
        except IdolchatError as error:
            self._console.print(Text(printable(str(error)), "red"))

    async def _take_turn(self, ask: Callable[..., Awaitable[TurnEnded]]) -> None:
        self._again = None
        try:
            with unseen_keys(), ReplyView(self._console) as reply, self._interrupts.reply() as stop:
                ended = await ask(hear=reply.write, stop=stop)
        except IdolchatError as error:
            self._offer(ask, f"Not sent: {error}")
        else:
            self._close(ended)

    def _close(self, ended: TurnEnded) -> None:
        missing = shortfall(ended)
        if ended.state in (TurnState.COMPLETED, TurnState.CANCELLED):
            self._note(f"{missing}\n" if missing else "")
        else:
            self._offer(self._talk.ask_again, missing or str(ended.state))

    def _offer(self, again: Callable[..., Awaitable[TurnEnded]], problem: str) -> None:
        self._again = again
        self._console.print(Text(printable(problem), "red"))
        self._note("Press Enter to try again.\n")

    def _note(self, text: str) -> None:
        self._console.print(Text(text, "dim"))


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _start_a_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline()

    @keys.add("c-c")
    def _clear_or_leave(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=EOFError)

    return keys


def _text(message: Message) -> str:
    if isinstance(message.content, str):
        return message.content
    parts = message.content or ()
    return "".join(part.get("text") or f"[{part.get('type')}]" for part in parts)
