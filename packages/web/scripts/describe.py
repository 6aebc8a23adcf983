"""Print what the server says of itself, for the types of the client: ``describe.py openapi``, or ``asyncapi``."""

import json
import sys
from typing import Any

from idolchat_api import create_app
from idolchat_api.streaming import asyncapi
from idolchat_api.testing import Parts
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

PROSE = frozenset({"description", "summary", "example", "examples", "title"})


def shapes(value: Any, *, names: bool = False) -> Any:
    """Leave out what is said in prose, so that the types change when a shape does and not before."""
    if isinstance(value, dict):
        return {
            name: shapes(inside, names=name in ("properties", "schemas", "$defs", "parameters"))
            for name, inside in value.items()
            if names or name not in PROSE
        }
    return [shapes(one) for one in value] if isinstance(value, list) else value


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
    sys.stdout.write(json.dumps({**shapes(described), "info": {"title": kind, "version": "0"}}, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1])
