"""``/health`` for monitoring, ``/livez`` and ``/readyz`` for orchestrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from idolchat_api.app_state import CurrentCaller, CurrentState
from idolchat_api.health import InstanceHealth, PartHealth
from idolchat_api.http import openapi_examples
from idolchat_api.http.openapi import example
from idolchat_api.version import VERSION
from idolchat_core.errors import StorageUnavailable
from idolchat_core.mirror import MirrorState, MirrorStatus

__all__ = ["routes"]

router = APIRouter(tags=["health"])


class MirrorPart(PartHealth):
    """One mirror; of servers that share the storage, ``copied_by`` is the machine and process that copies to it."""

    copied_by: str | None = None


class MirrorHealth(BaseModel):
    """How far the mirrors are behind: conversations still to be copied, and the age of the oldest change.

    ``conflicts`` are conversations that a mirror holds otherwise, and that are left as they are. Where several servers
    share the storage, it is what the one says that copies.
    """

    model_config = ConfigDict(frozen=True)

    pending: int = 0
    lag_s: float = 0.0
    conflicts: int | None = None
    mirrors: tuple[MirrorPart, ...] | None = None

    @classmethod
    def of(cls, status: MirrorStatus) -> Self:
        if not status.mirrors:
            return cls()
        return cls(
            pending=status.pending,
            lag_s=status.lag_s,
            conflicts=sum(mirror.conflicts for mirror in status.mirrors),
            mirrors=tuple(_part(mirror) for mirror in status.mirrors),
        )


def _part(mirror: MirrorState) -> MirrorPart:
    if mirror.error is None:
        return MirrorPart(name=mirror.name, status="ok", copied_by=mirror.copied_by)
    return MirrorPart(
        name=mirror.name,
        status="unavailable",
        code=StorageUnavailable.code,
        message=mirror.error,
        copied_by=mirror.copied_by,
    )


class BackgroundHealth(BaseModel):
    """The work beside requests: saving, copying to mirrors, telling observers; which of it fails, and how."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok", "failing"]
    failing: dict[str, str] | None = None

    @classmethod
    def of(cls, failing: Mapping[str, str]) -> Self:
        return cls(status="failing", failing=dict(failing)) if failing else cls(status="ok")


class Health(BaseModel):
    """``degraded`` when a part does not work; status 503 when the storage cannot take writes.

    Where there is a login, only its operators (a key without a user, or with the scope admin) are told more.
    """

    model_config = ConfigDict(frozen=True)

    status: Literal["ok", "degraded"]
    version: str | None = None
    storage: PartHealth | None = None
    llm: PartHealth | None = None
    mirror: MirrorHealth | None = None
    background: BackgroundHealth | None = None
    instance: InstanceHealth | None = None


class Liveness(BaseModel):
    """The process is alive."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether the server takes requests, and which part is the reason where it does not.

    The parts are shown to operators only, as in ``Health``.
    """

    model_config = ConfigDict(frozen=True)

    status: Literal["ready", "stopping", "not_ready"]
    reason: Literal["instance", "storage", "llm"] | None = None
    storage: PartHealth | None = None
    llm: PartHealth | None = None
    instance: InstanceHealth | None = None


_STORAGE_DOWN = {
    "name": "local",
    "status": "unavailable",
    "code": "storage_unavailable",
    "message": "the disk is full",
}
_LLM_OK = {"name": "openrouter", "status": "ok"}
_HEALTH = example(openapi_examples.HEALTH) | example(
    openapi_examples.HEALTH | {"status": "degraded", "storage": _STORAGE_DOWN},
    status=503,
    description="The storage cannot take a write.",
)
_READINESS = example({"status": "ready", "storage": {"name": "local", "status": "ok"}, "llm": _LLM_OK}) | example(
    {"status": "not_ready", "reason": "storage", "storage": _STORAGE_DOWN, "llm": _LLM_OK},
    status=503,
    description="Not now: the server is stopping, or a part needs somebody's hand.",
)


@router.get("/health", responses=_HEALTH, response_model_exclude_none=True)
async def get_health(app: CurrentState, caller: CurrentCaller, response: Response) -> Health:
    """Report the health of the server and its parts; 503 when the storage cannot take a write."""
    storage, llm = await app.checks.storage(), await app.checks.llm()
    if not storage.is_ok:
        response.status_code = 503
    mirror = app.service.mirror
    background = BackgroundHealth.of(app.service.failing)
    instance = InstanceHealth.of(app.service)
    is_ok = storage.is_ok and llm.is_ok and mirror.is_ok and background.status == "ok"
    is_ok = is_ok and (instance is None or instance.is_ok)
    status: Literal["ok", "degraded"] = "ok" if is_ok else "degraded"
    if not caller.principal.is_operator:
        return Health(status=status)
    return Health(
        status=status,
        version=VERSION,
        storage=storage,
        llm=llm,
        mirror=MirrorHealth.of(mirror),
        background=background,
        instance=instance,
    )


@router.get("/livez", responses=example({"status": "ok"}))
async def get_liveness() -> Liveness:
    """Report that the process is alive."""
    return Liveness()


@router.get("/readyz", responses=_READINESS, response_model_exclude_none=True)
async def get_readiness(app: CurrentState, caller: CurrentCaller, response: Response) -> Readiness:
    """Report whether the server takes requests: 503 while stopping, and when a part needs an operator.

    A provider that is away for a while is no reason: requests are told so, and another replica would fare no better.
    Where several servers share the storage, a server whose heartbeat fails is not ready.
    """
    storage, llm, instance = await app.checks.storage(), await app.checks.llm(), InstanceHealth.of(app.service)
    reason = _reason(storage, llm, instance)
    if app.is_stopping:
        status: Literal["ready", "stopping", "not_ready"] = "stopping"
    else:
        status = "not_ready" if reason else "ready"
    if status != "ready":
        response.status_code = 503
    if not caller.principal.is_operator:
        return Readiness(status=status, reason=reason)
    return Readiness(status=status, reason=reason, storage=storage, llm=llm, instance=instance)


def _reason(
    storage: PartHealth, llm: PartHealth, instance: InstanceHealth | None
) -> Literal["instance", "storage", "llm"] | None:
    if instance is not None and instance.status != "ok":
        return "instance"
    if not storage.is_ok:
        return "storage"
    return "llm" if llm.status == "error" else None


for _path, _endpoint in (("/health", get_health), ("/livez", get_liveness), ("/readyz", get_readiness)):
    router.add_api_route(_path, _endpoint, methods=["HEAD"], include_in_schema=False)

routes = router.routes
