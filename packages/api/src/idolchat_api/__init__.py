"""The HTTP and WebSocket server of idolchat."""

from idolchat_api.app import create_app
from idolchat_api.server import serve
from idolchat_api.settings import ApiSettings

__all__ = ["ApiSettings", "create_app", "serve"]
