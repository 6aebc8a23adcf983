"""The routes, with the rights that each has."""

from __future__ import annotations

from fastapi import APIRouter

from idolchat_api import Access, Caller, RouteRegistry, Wants
from idolchat_api_openai.identity.callers import Identities
from idolchat_api_openai.responses.routes import RULES, response_routes
from idolchat_api_openai.routes import chat_routes, model_routes
from idolchat_api_openai.server import Server
from idolchat_api_openai.settings import OpenAISettings
from idolchat_core import read_settings

__all__ = ["add_routes"]


def add_routes(registry: RouteRegistry, *, access: Access) -> None:
    """Register all routes. Raises ``ConfigurationError``."""
    settings = read_settings(OpenAISettings)
    server = Server(settings)
    identities = Identities(settings)
    router = APIRouter()
    router.routes += [*model_routes(server), *chat_routes(server), *response_routes(server)]
    registry.add_router(router, access=access, find={"model": _is_answered_for, **RULES}, identify=identities.identify)


async def _is_answered_for(caller: Caller, model: str, wants: Wants) -> bool:
    """Allow every model here: the route itself refuses those that the caller may not use, in OpenAI's form."""
    return True
