"""Health checks of the storage and the provider, with cached results."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from idolchat_api.cached_call import CachedCall
from idolchat_core.errors import IdolchatError, ProviderUnavailable, RateLimited, StorageUnavailable
from idolchat_core.service import Service

__all__ = ["HealthChecks", "InstanceHealth", "PartHealth"]

logger = logging.getLogger(__name__)

STORAGE_MAX_AGE_S = 1.0
LLM_MAX_AGE_S = 30.0
TIMEOUT_S = 5.0
_PASSING = (StorageUnavailable, ProviderUnavailable, RateLimited)

type Check = Callable[[], Awaitable[None]]


class PartHealth(BaseModel):
    """One part: ``status`` is ``ok``, ``unavailable`` (it may come back by itself) or ``error`` (somebody must act)."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: Literal["ok", "unavailable", "error"]
    code: str | None = None
    message: str | None = None

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"


class InstanceHealth(BaseModel):
    """This server among those that serve the same storage: ``unavailable`` while it takes no turns, with the reason.

    ``bus`` brings messages between them; while it is ``unavailable``, turns go on without.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    status: Literal["ok", "unavailable"]
    message: str | None = None
    bus: PartHealth

    @property
    def is_ok(self) -> bool:
        return self.status == "ok" and self.bus.is_ok

    @classmethod
    def of(cls, service: Service) -> Self | None:
        """Describe it; None where one server alone serves the storage."""
        membership, problem = service.coordination.membership, service.coordination.bus.state.problem
        if membership is None:
            return None
        name = service.settings.bus or service.storage_name
        bus = PartHealth(name=name, status="unavailable" if problem else "ok", message=problem)
        status: Literal["ok", "unavailable"] = "unavailable" if membership.problem else "ok"
        return cls(id=membership.instance_id, status=status, message=membership.problem, bus=bus)


class HealthChecks:
    """The health of the storage and of the provider."""

    def __init__(self, *, storage_name: str, check_storage: Check, llm_name: str, check_llm: Check) -> None:
        self._storage = CachedCall(lambda: _checked(storage_name, check_storage), max_age_s=STORAGE_MAX_AGE_S)
        self._llm = CachedCall(lambda: _checked(llm_name, check_llm), max_age_s=LLM_MAX_AGE_S)

    async def storage(self) -> PartHealth:
        """Check that the storage can take a write."""
        return await self._storage.get()

    async def llm(self) -> PartHealth:
        """Check that the provider can take a request."""
        return await self._llm.get()


async def _checked(name: str, check: Check) -> PartHealth:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await check()
    except TimeoutError:
        said = f"no answer within {TIMEOUT_S:g} seconds"
        return PartHealth(name=name, status="unavailable", code="timeout", message=said)
    except IdolchatError as error:
        status: Literal["unavailable", "error"] = "unavailable" if isinstance(error, _PASSING) else "error"
        return PartHealth(name=name, status=status, code=error.code, message=str(error))
    except Exception:  # a plugin's fault, whatever it is: a health check tells of it
        logger.exception("health check failed", extra={"part": name})
        said = "the check failed in a way it should not; the server's log says more"
        return PartHealth(name=name, status="error", code=IdolchatError.code, message=said)
    return PartHealth(name=name, status="ok")
