"""``GET /models``: the available models, in the form of OpenAI's list."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from idolchat_api.app_state import CurrentState
from idolchat_api.http import openapi_examples
from idolchat_api.http.openapi import errors, example
from idolchat_core.errors import NotAuthorized, ProviderTimeout, ProviderUnavailable, RateLimited

__all__ = ["routes"]

router = APIRouter(tags=["models"])


class Model(BaseModel):
    """A model. ``created`` is always 0: providers do not say, and OpenAI's clients expect a number.

    ``input_modalities`` are such as ``text`` and ``image``; left out where the provider does not tell.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str
    name: str | None = None
    context_length: int | None = None
    max_output_tokens: int | None = None
    input_modalities: tuple[str, ...] | None = None


class ModelList(BaseModel):
    """The models of the provider; ``default`` answers requests that name none."""

    model_config = ConfigDict(frozen=True)

    object: Literal["list"] = "list"
    data: tuple[Model, ...]
    default: str | None = None


@router.get(
    "/models",
    responses=example(openapi_examples.MODELS)
    | errors(ProviderUnavailable, ProviderTimeout, NotAuthorized, RateLimited),
    response_model_exclude_none=True,
)
async def list_models(app: CurrentState) -> ModelList:
    """List the models that requests may name."""
    service = app.service
    models = tuple(
        Model(
            id=model.id,
            owned_by=service.llm_name,
            name=model.name,
            context_length=model.context_length,
            max_output_tokens=model.max_output_tokens,
            input_modalities=model.input_modalities,
        )
        for model in await app.models.get()
        if app.policy.allows_model(model.id)
    )
    return ModelList(data=models, default=app.policy.default_model)


routes = router.routes
