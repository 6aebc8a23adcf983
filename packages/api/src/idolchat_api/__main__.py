"""Serve with the settings of the environment: ``python -m idolchat_api``."""

from __future__ import annotations

import sys

from idolchat_api.server import serve
from idolchat_core.errors import IdolchatError
from idolchat_core.service import Service


def _announce(service: Service, url: str) -> None:
    sys.stdout.write(f"Serving {url} with storage {service.storage_name} and provider {service.llm_name}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        serve(on_started=_announce)
    except IdolchatError as error:
        sys.exit(f"idolchat: {error}")
