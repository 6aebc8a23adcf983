"""``idol serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from idolchat_cli.checks.server import SERVE_EXTRA
from idolchat_cli.checks.variables import warn_of_unread
from idolchat_cli.in_use import OPENROUTER_HINT, model_in_use
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.render import cell, columns, on_stdout, show
from idolchat_core.errors import ConfigurationError
from idolchat_core.service import Service
from idolchat_core.settings import read_settings

__all__ = ["app"]

FACT_WIDTH = 11

app = new_app()


@app.command(
    epilog=examples(
        "idol serve",
        "idol serve --port 9000",
        "idol serve --host 0.0.0.0                 for other machines too",
        "OPENROUTER_API_KEY=sk-or-... idol serve   with the models of OpenRouter",
        "IDOLCHAT_STORAGE=postgres idol serve --workers 4",
    )
)
def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on; IDOLCHAT_HOST, or 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on, 0 for any; IDOLCHAT_PORT, or 8000.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=256, help="Processes, one a core, on a storage that they share; IDOLCHAT_WORKERS, or 1."
        ),
    ] = None,
) -> None:
    """Serve conversations over HTTP and WebSocket.

    Ctrl-C stops it: running replies are finished first, as far as IDOLCHAT_SHUTDOWN_GRACE_S allows.
    """
    try:
        import idolchat_api  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        if error.name != "idolchat_api":
            raise
        raise ConfigurationError(f"the server is not installed: {SERVE_EXTRA}") from None
    options = {"IDOLCHAT_HOST": host, "IDOLCHAT_PORT": port, "IDOLCHAT_WORKERS": workers}
    given = {name: value for name, value in options.items() if value is not None}
    settings = read_settings(idolchat_api.ApiSettings, **given)
    reference = "docs" if settings.shows_docs else None
    idolchat_api.serve(settings, on_started=lambda service, url: _announce(service, url, reference=reference))


def _announce(service: Service, url: str, *, reference: str | None) -> None:
    console = on_stdout()
    facts = {
        "data folder": str(service.settings.data_dir.absolute()),
        "storage": service.storage_name,
        "model": model_in_use(service),
    }
    if reference is not None:
        facts["reference"] = f"{url}/{reference}"
    console.print(f"Serving {url} (Ctrl-C stops it)", style="bold")
    show(console, columns(([cell(name), cell(fact)] for name, fact in facts.items()), widths=[FACT_WIDTH]))
    if service.llm_name == "local":
        console.print(OPENROUTER_HINT)
    warn_of_unread()  # now that every part's settings have been imported
