"""Serve with the settings of the environment: ``python -m idolchat_api``."""

from __future__ import annotations

import sys

from idolchat_api.server import serve
from idolchat_core.errors import IdolchatError

if __name__ == "__main__":
    try:
        serve()
    except IdolchatError as error:
        sys.exit(f"idolchat: {error}")
