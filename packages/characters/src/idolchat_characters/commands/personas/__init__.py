"""``idol personas``."""

from __future__ import annotations

from idolchat_cli.lazy import Lazy, examples, new_group

__all__ = ["app"]

_HERE = "idolchat_characters.commands.personas"

app = new_group(
    {
        "list": Lazy(f"{_HERE}.list", "List a user's personas, the oldest first."),
        "add": Lazy(f"{_HERE}.add", "Create a persona."),
        "import": Lazy(f"{_HERE}.import_", "Create the personas of a backup of SillyTavern."),
        "edit": Lazy(f"{_HERE}.edit", "Change a persona, or make it the default."),
        "delete": Lazy(f"{_HERE}.delete", "Delete personas."),
    },
    help="Look after personas, whom users play.\n\nWithout --user they are those of conversations that have no user.",
    epilog=examples(
        'idol personas add Ana --description "{{user}} collects records."',
        "idol personas list --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e",
    ),
)
