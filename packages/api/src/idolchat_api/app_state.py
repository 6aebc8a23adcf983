"""The state of a running application, and how routes reach it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Self

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import Scope

from idolchat_api.auth.authentication import Authentication
from idolchat_api.auth.caller import Caller
from idolchat_api.auth.open_sessions import OpenSessions
from idolchat_api.auth.request_policy import RequestPolicy
from idolchat_api.auth.sign_in import SignIn
from idolchat_api.cached_call import CachedCall
from idolchat_api.health import HealthChecks
from idolchat_api.limits.request_rates import RequestRates
from idolchat_api.observability.instrumentation import Instrumentation
from idolchat_api.settings.api import ApiSettings
from idolchat_core.llm.contract import ModelInfo
from idolchat_core.service import Service

__all__ = ["AppState", "CurrentCaller", "CurrentState", "app_state", "caller_of", "sign_in_of"]

MODELS_MAX_AGE_S = 60.0


@dataclass(slots=True, kw_only=True)
class AppState:
    """The open services of a running application.

    ``is_stopping`` is true once no new turns are taken. ``shutdown_callbacks`` run after the last turn has ended.
    """

    settings: ApiSettings
    service: Service
    authentication: Authentication
    open_sessions: OpenSessions
    policy: RequestPolicy
    rates: RequestRates
    checks: HealthChecks
    models: CachedCall[Sequence[ModelInfo]]
    instrumentation: Instrumentation | None = None
    is_stopping: bool = False
    shutdown_callbacks: set[Callable[[], Awaitable[None]]] = field(default_factory=set)

    @classmethod
    def of(cls, settings: ApiSettings, service: Service, authentication: Authentication) -> Self:
        return cls(
            settings=settings,
            service=service,
            authentication=authentication,
            open_sessions=OpenSessions(authentication),
            policy=RequestPolicy(settings, default_model=settings.model or service.llm.default_model),
            rates=RequestRates(settings, service.coordination.counters),
            checks=HealthChecks(
                storage_name=service.storage_name,
                check_storage=service.storage.check,
                llm_name=service.llm_name,
                check_llm=service.llm.check,
            ),
            models=CachedCall(service.llm.list_models, max_age_s=MODELS_MAX_AGE_S),
        )

    def caller(self, scope: Scope) -> Caller:
        """Return the caller of a request, who starts turns and whose rights are checked."""
        return Caller(scope["state"]["principal"], self.service, self.policy)


def app_state(scope: Scope) -> AppState:
    """Return the state of the application that serves a request."""
    state: AppState = scope["app"].state.idolchat
    return state


def caller_of(scope: Scope) -> Caller:
    """Return the caller of a request, who starts turns and whose rights are checked."""
    return app_state(scope).caller(scope)


def sign_in_of(connection: HTTPConnection) -> SignIn | None:
    """Return where people get tokens for this server; None where no page can ask for one."""
    authenticator = app_state(connection.scope).authentication.authenticator
    return None if authenticator is None else authenticator.sign_in


def _caller_of(connection: HTTPConnection) -> Caller:
    return caller_of(connection.scope)


def _of_connection(connection: HTTPConnection) -> AppState:
    return app_state(connection.scope)


CurrentState = Annotated[AppState, Depends(_of_connection)]
CurrentCaller = Annotated[Caller, Depends(_caller_of)]
