"""Write ``cli.md`` from the commands themselves: ``python docs/cli.py > docs/cli.md``."""

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import typer
from pydantic import TypeAdapter
from typer.core import TyperGroup

from idolchat_cli.lazy import LazyGroup
from idolchat_cli.main import app

HEAD = """\
# The command line

What `idol` can do with all packages, command by command. `idol COMMAND --help` says the same in the terminal, and
`idol --install-completion` makes the shell complete commands and options.

The exit status is 0 when all is good, 1 when there is a problem (a result that cannot be written is one), 2 for wrong
usage, and 130 when Ctrl-C stopped it.
Errors are one message on standard error; `idol --debug COMMAND` shows the traceback. Colours and bars are for
terminals, and `NO_COLOR` turns colours off. With `--json` the result is on standard output, in the shape that stands
here: fields stay, others may be added. Times are UTC, ISO 8601; ids are UUIDs, or other names in documents of other
services.
"""


def page() -> str:
    """Write the whole page."""
    root = typer.main.get_command(app)
    parts = [HEAD, "\n"]
    commands = list(_commands(root, "idol"))
    parts += [f"- [`{words}`](#{words.replace(' ', '-')}): {_first_line(command)}\n" for words, command, _ in commands]
    parts += [_section(words, command, shape) for words, command, shape in commands]
    return "".join(parts)


def _commands(group: Any, words: str) -> Iterator[tuple[str, Any, str]]:
    """Give each command that does something: its words, itself, and the shape of what it prints."""
    for name in group.list_commands(typer.Context(group)):
        command = group.load(name) if isinstance(group, LazyGroup) else group.commands[name]
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{words} {name}")
        else:
            yield f"{words} {name}", command, _shape(import_module(command.callback.__module__))


def _first_line(command: Any) -> str:
    return inspect.cleandoc(command.help).splitlines()[0]


def _section(words: str, command: Any, shape: str) -> str:
    usage = " ".join(command.collect_usage_pieces(typer.Context(command)))
    options = "".join(f"| `{names}` | {text} |\n" for names, text in _parameters(command))
    table = f"\n| option | meaning |\n|---|---|\n{options}" if options else ""
    text = inspect.cleandoc(command.help)
    return f"\n## {words}\n\n    {words} {usage}\n\n{text}\n{table}\n{_code(command.epilog)}{shape}"


def _code(epilog: str) -> str:
    """Give the examples, which follow their heading."""
    return "```sh\n" + "".join(f"{line.strip()}\n" for line in epilog.splitlines()[2:]) + "```\n"


def _parameters(command: Any) -> Iterator[tuple[str, str]]:
    context = typer.Context(command)
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record and not getattr(parameter, "hidden", False) and "--help" not in record[0]:
            yield record[0].replace("|", "\\|"), " ".join(record[1].split()).replace("|", "\\|")


def _shape(module: Any) -> str:
    for name, lead in (("RESULT", "`--json` prints"), ("RESULT_LINES", "`--json` prints one a line:")):
        if hasattr(module, name):
            schema = TypeAdapter(getattr(module, name)).json_schema(mode="serialization")
            return f"\n{lead} {_described(schema, schema.get('$defs', {}))}"
    return ""


def _described(schema: dict[str, Any], known: dict[str, Any]) -> str:
    schema = _resolved(schema, known)
    if schema.get("type") == "array":
        schema = _resolved(schema["items"], known)
        lead = "a list of objects with"
    else:
        lead = "an object with"
    return f"{lead}\n\n| field | type | meaning |\n|---|---|---|\n{''.join(_rows(schema, known, ''))}"


def _rows(schema: dict[str, Any], known: dict[str, Any], before: str) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        text = " ".join(field.get("description", "").split()).replace("|", "\\|")
        yield f"| `{before}{name}` | {_type(field, known)} | {text} |\n"
        inner, mark = _resolved(field, known), "."
        if inner.get("type") == "array":
            inner, mark = _resolved(inner["items"], known), "[]."
        if inner.get("properties") and before.count(".") < 2:
            yield from _rows(inner, known, f"{before}{name}{mark}")


def _resolved(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema:
        schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
    return known[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _type(schema: dict[str, Any], known: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(one, known) for one in schema["anyOf"]))
    schema = _resolved(schema, known)
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        item = _type(schema.get("items", {}), known)
        return f"list of {f'({item})' if ' or ' in item else item}"
    return {"date-time": "time", "uuid": "id"}.get(schema.get("format", ""), schema.get("type", "any"))


if __name__ == "__main__":
    sys.stdout.write(page())
