"""What routes need of the application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Self

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import Scope

from idolchat_api.freshness import Fresh
from idolchat_api.health import Checks
from idolchat_api.settings import ApiSettings
from idolchat_core.llm import ModelInfo
from idolchat_core.service import Service

__all__ = ["Running", "RunningServer", "running"]

MODELS_MAX_AGE_S = 60.0


@dataclass(slots=True, kw_only=True)
class Running:
    """The application while it runs.

    ``is_stopping`` from the moment that it takes no new turns; ``farewells`` are called after the last turn has ended.
    """

    settings: ApiSettings
    service: Service
    checks: Checks
    models: Fresh[Sequence[ModelInfo]]
    is_stopping: bool = False
    farewells: set[Callable[[], Awaitable[None]]] = field(default_factory=set)

    @classmethod
    def of(cls, settings: ApiSettings, service: Service) -> Self:
        """Take an open service."""
        return cls(
            settings=settings,
            service=service,
            checks=Checks(
                storage_name=service.storage_name,
                check_storage=service.storage.check,
                llm_name=service.llm_name,
                check_llm=service.llm.check,
            ),
            models=Fresh(service.llm.list_models, max_age_s=MODELS_MAX_AGE_S),
        )


def running(scope: Scope) -> Running:
    """Find the running application of a request."""
    state: Running = scope["app"].state.running
    return state


def _of_connection(connection: HTTPConnection) -> Running:
    return running(connection.scope)


RunningServer = Annotated[Running, Depends(_of_connection)]
