"""``idol characters validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field

from idolchat_characters.cards import CardReport
from idolchat_characters.cards import validate as examined
from idolchat_characters.commands.files import card_files, file_content
from idolchat_characters.errors import CardRefused
from idolchat_characters.problems import Problem
from idolchat_characters.settings import CharactersSettings
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.printable import printable
from idolchat_cli.progress import progress
from idolchat_cli.render import on_stdout, print_json
from idolchat_cli.results import Result
from idolchat_core import read_settings

__all__ = ["RESULT", "app"]


class ExaminedCard(Result):
    """What is wrong with a file."""

    file: str
    report: CardReport = Field(description="`name` is null where the card is refused")


RESULT = list[ExaminedCard]

app = new_app()


@app.command("validate", epilog=examples("idol characters validate mika.png", "idol characters validate cards/ --json"))
def validate(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Card files, and folders of them; - is standard input.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check card files without importing them: what is wrong, by field, and how to mend it.

    Exits with 1 if a card would be refused.
    """
    cards = card_files(files)
    most = read_settings(CharactersSettings).max_import_bytes
    results = []
    with progress("Checking", total=len(cards), unit="cards") as checking:
        for card in cards:
            results.append(ExaminedCard(file=str(card), report=_report(card, most)))
            checking.advance()
    if as_json:
        print_json(results)
    else:
        for result in results:
            _show(result)
    if not all(result.report.is_accepted for result in results):
        raise typer.Exit(1)


def _report(card: Path, most: int) -> CardReport:
    try:
        return examined(file_content(card, most))
    except CardRefused as refusal:
        return CardReport(problems=(Problem(severity="error", place="file", message=str(refusal)),))


def _show(result: ExaminedCard) -> None:
    report = result.report
    said = f"{report.name}, {report.version} as {report.format}" if report.is_accepted else "is no card"
    on_stdout().print(printable(f"{result.file}: {said}"))
    for problem in report.problems:
        on_stdout().print(printable(f"  {problem}"))
