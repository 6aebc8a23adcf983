"""``idol conversations import``."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field

from idolchat_cli.conversations.importing.candidate import Candidate, Finding, Skipped
from idolchat_cli.conversations.importing.files import find_in
from idolchat_cli.conversations.importing.store import Importer, OnConflict, Outcome
from idolchat_cli.conversations.message_text import message_id
from idolchat_cli.files import check_input
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson, DryRun
from idolchat_cli.printable import printable
from idolchat_cli.progress import progress
from idolchat_cli.render import number_of, on_stderr, print_json
from idolchat_cli.results import Result
from idolchat_core.errors import InvalidRequest, StorageConflict
from idolchat_core.models import Conversation, StoredId

__all__ = ["RESULT", "app"]

SHOWN = 3
"""Places that are named of what was lost for the same reason."""

TOGETHER = 32
"""Conversations that are stored at a time, so that they share the disk's waits."""


class Untaken(Result):
    """Something that was not taken."""

    source: str = Field(description="file, and the line, conversation or message in it")
    reason: str


class LeftOut(Result):
    """Things of one kind that nobody wrote, or that are not in the files."""

    what: str
    count: int


class Imported(Result):
    """What became of the conversations that were found."""

    created: int
    extended: int = Field(description="messages were added to one that was there")
    overwritten: int
    unchanged: int = Field(description="they were there already")
    conflicts: int = Field(description="another conversation has this id; it was left as it is")
    not_taken: list[Untaken] = Field(description="what somebody may have written and could not be taken, and conflicts")
    left_out: list[LeftOut] = Field(description="what else does not come over, by its kind: no problem")
    dry_run: bool


RESULT = Imported

app = new_app()


@app.command(
    "import",
    epilog=examples(
        "idol conversations import backup.tar.gz --dry-run",
        "idol conversations import old-service/ --on-conflict overwrite",
        "idol conversations import 'Mika - 2026-05-31.jsonl' --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e",
        "idol conversations import chatgpt-export.zip",
        "idol conversations import ~/SillyTavern/data/default-user/chats",
    ),
)
def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Files, folders or archives; - is standard input.")
    ],
    on_conflict: Annotated[
        OnConflict | None, typer.Option(help="What to do where another conversation has the id; else it is a problem.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="The user of conversations that name none.")] = None,
    character: Annotated[
        str | None, typer.Option(metavar="ID", help="The character of conversations that name none.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import conversations from files, of other programs too.

    Reads documents of this program and of the original service, what idol conversations export writes (but Markdown),
    and the exports of SillyTavern, chub.ai, ChatGPT, Claude, Open WebUI, LibreChat, Agnai, RisuAI and CAI Tools, or
    the whole .zip that they come in. Ids of ours are kept, others are made so that to import a file twice changes
    nothing. What does not come over is counted by its kind. Exits with 1 if something that a person wrote was lost.
    """
    for path in files:
        check_input(path, takes_folders=True)
    owners = {"user_id": user, "character_id": character}
    defaults = {name: message_id(value) for name, value in owners.items() if value is not None}
    findings = (_owned(finding, defaults) for path in files for finding in find_in(path))
    report = asyncio.run(_taken(findings, on_conflict, dry_run=dry_run))
    result = report.result(dry_run=dry_run)
    if as_json:
        print_json(result)
    else:
        for line in report.lines():
            on_stderr().print(printable(line), style="yellow")
        _sum_up(result)
    if len(result.not_taken) > (result.conflicts if on_conflict else 0):
        raise typer.Exit(1)


def _owned(finding: Finding, owners: Mapping[str, StoredId]) -> Finding:
    if isinstance(finding, Skipped):
        return finding
    lacking = {name: owner for name, owner in owners.items() if getattr(finding.conversation, name) is None}
    if not lacking:
        return finding
    given = {name: value for name, value in finding.conversation if name in finding.conversation.model_fields_set}
    more = finding.conversation.__pydantic_extra__ or {}
    return finding._replace(conversation=Conversation(**{**given, **more, **lacking}))


async def _taken(findings: Iterator[Finding], on_conflict: OnConflict | None, *, dry_run: bool) -> _Report:
    report = _Report(on_conflict)
    async with open_conversations() as opened:
        importer = Importer(opened.storage, overwrites=on_conflict is OnConflict.OVERWRITE, dry_run=dry_run)
        with progress("Importing", unit="conversations") as importing:
            for together in _groups(findings):
                outcomes = await asyncio.gather(*(_store(importer, one) for one in together))
                for one, outcome in zip(together, outcomes, strict=True):
                    report.add(one, outcome)
                importing.advance(len(together))
    return report


class _Report:
    """What became of everything: conversations by their outcome, all else by its kind."""

    def __init__(self, on_conflict: OnConflict | None) -> None:
        self._conflict = "another conversation has its id" + ("" if on_conflict else ", see --on-conflict")
        self._counts: Counter[Outcome] = Counter()
        self._lost: dict[str, list[Skipped]] = {}
        self._left_out: Counter[str] = Counter()

    def add(self, finding: Finding, outcome: Outcome | Skipped) -> None:
        if isinstance(outcome, Outcome):
            self._counts[outcome] += 1
            if outcome is Outcome.CONFLICT and isinstance(finding, Candidate):
                self.add(finding, Skipped(finding.source, self._conflict, detail=str(finding.conversation.id)))
        elif outcome.is_lost:
            self._lost.setdefault(outcome.reason, []).append(outcome)
        else:
            self._left_out[outcome.reason] += 1

    def result(self, *, dry_run: bool) -> Imported:
        counts = self._counts
        return Imported(
            created=counts[Outcome.CREATED],
            extended=counts[Outcome.EXTENDED],
            overwritten=counts[Outcome.OVERWRITTEN],
            unchanged=counts[Outcome.UNCHANGED],
            conflicts=counts[Outcome.CONFLICT],
            not_taken=[
                Untaken(source=one.source, reason=": ".join(filter(None, (reason, one.detail))))
                for reason, kind in self._lost.items()
                for one in kind
            ],
            left_out=[LeftOut(what=what, count=count) for what, count in self._left_out.most_common()],
            dry_run=dry_run,
        )

    def lines(self) -> Iterator[str]:
        """Yield a line for each kind of thing that is not imported; for what is lost, also where the first are."""
        for what, count in self._left_out.most_common():
            yield f"left out: {count:,} x {what}"
        for reason, kind in self._lost.items():
            if len(kind) == 1:
                yield ": ".join(filter(None, (kind[0].source, reason, kind[0].detail)))
            else:
                places = "; ".join(one.source for one in kind[:SHOWN])
                rest = f"; and {len(kind) - SHOWN:,} more, which --json lists" if len(kind) > SHOWN else ""
                yield f"not taken: {len(kind):,} x {reason}: {places}{rest}"


def _groups(findings: Iterator[Finding]) -> Iterator[Sequence[Finding]]:
    """Gather what can be stored at a time: no conversation twice."""
    group: list[Finding] = []
    ids: set[object] = set()
    for finding in findings:
        key = finding.conversation.id if isinstance(finding, Candidate) else None
        if len(group) == TOGETHER or key in ids:
            yield group
            group, ids = [], set()
        group.append(finding)
        if key is not None:
            ids.add(key)
    yield group


async def _store(importer: Importer, finding: Finding) -> Outcome | Skipped:
    """Store one and return the outcome, or why it is skipped; a storage that cannot be written ends the import."""
    if isinstance(finding, Skipped):
        return finding
    try:
        return await importer.store(finding)
    except (InvalidRequest, StorageConflict) as error:
        return Skipped(finding.source, "conversation that cannot be stored", detail=str(error))


def _sum_up(result: Imported) -> None:
    said = {
        "created": result.created,
        "extended": result.extended,
        "overwritten": result.overwritten,
        "unchanged": result.unchanged,
        "left as they are": result.conflicts,
    }
    total = sum(said.values())
    parts = ", ".join(f"{count:,} {what}" for what, count in said.items() if count)
    begin = "Would take" if result.dry_run else "Found"
    on_stderr().print(f"{begin} {number_of(total, 'conversation')}{f': {parts}' if parts else ''}")
