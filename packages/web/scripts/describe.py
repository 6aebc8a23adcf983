"""Print what the server says of itself, for the types of the client: ``describe.py openapi``, or ``asyncapi``."""

import json
import sys
from typing import Any

from idolchat_api import create_app
from idolchat_api.streaming import asyncapi
from idolchat_api.testing import Parts
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider


def main(kind: str) -> None:
    """Describe the server alone: what plugins add is not the client's."""
    described: dict[str, Any]
    if kind == "asyncapi":
        schemas = asyncapi.document()["components"]["schemas"]
        described = {
            "openapi": "3.1.0",
            "info": {"title": "events", "version": "0"},
            "paths": {},
            "components": {"schemas": schemas},
        }
    else:
        described = create_app(
            plugins=load_plugins(Parts(InMemoryStorage(), ScriptedProvider()), installed=False)
        ).openapi()
    sys.stdout.write(json.dumps(described, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1])
