"""What routes need of the application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Self

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import Scope

from idolchat_api.auth.authentication import Gate
from idolchat_api.auth.caller import Caller
from idolchat_api.auth.open_sessions import Admissions
from idolchat_api.auth.request_policy import Bounds
from idolchat_api.cached_call import Fresh
from idolchat_api.health import Checks
from idolchat_api.limits.request_rates import RequestRates
from idolchat_api.settings.api import ApiSettings
from idolchat_core.llm.contract import ModelInfo
from idolchat_core.service import Service

if TYPE_CHECKING:
    from idolchat_api.observability.instrumentation import Watch

__all__ = ["AnyCaller", "Running", "RunningServer", "calling", "running"]

MODELS_MAX_AGE_S = 60.0


@dataclass(slots=True, kw_only=True)
class Running:
    """The application while it runs.

    ``is_stopping`` from the moment that it takes no new turns; ``farewells`` are called after the last turn has ended.
    """

    settings: ApiSettings
    service: Service
    gate: Gate
    admissions: Admissions
    bounds: Bounds
    rates: RequestRates
    checks: Checks
    models: Fresh[Sequence[ModelInfo]]
    watch: Watch | None = None
    is_stopping: bool = False
    farewells: set[Callable[[], Awaitable[None]]] = field(default_factory=set)

    @classmethod
    def of(cls, settings: ApiSettings, service: Service, gate: Gate) -> Self:
        """Take an open service, and the gate before it."""
        return cls(
            settings=settings,
            service=service,
            gate=gate,
            admissions=Admissions(gate),
            bounds=Bounds(settings, default_model=settings.model or service.llm.default_model),
            rates=RequestRates(settings),
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


def calling(scope: Scope) -> Caller:
    """Tell who makes a request: by this a route begins turns, and learns whose things it may show."""
    app = running(scope)
    return Caller(scope["state"]["principal"], app.service, app.bounds)


def _caller_of(connection: HTTPConnection) -> Caller:
    return calling(connection.scope)


def _of_connection(connection: HTTPConnection) -> Running:
    return running(connection.scope)


RunningServer = Annotated[Running, Depends(_of_connection)]
AnyCaller = Annotated[Caller, Depends(_caller_of)]
