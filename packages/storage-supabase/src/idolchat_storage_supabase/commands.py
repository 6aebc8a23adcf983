"""``idol supabase``: imported by the command line alone, which brings typer."""

from __future__ import annotations

import typer

from idolchat_storage_supabase.sql import chats_sql

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Set up a Supabase project.",
    epilog='\b\nExamples:\n  idol supabase sql\n  idol supabase sql | psql "$DATABASE_URL"',
)


@app.callback()
def _begin() -> None:
    """Set up a Supabase project."""


@app.command(epilog="\b\nExamples:\n  idol supabase sql\n  idol supabase sql > chats.sql")
def sql() -> None:
    """Print the SQL that makes the table chats, by which conversations are listed.

    Run it once, in the SQL editor of the project or with psql. A running server notices the table by itself.
    """
    typer.echo(chats_sql(), nl=False)
