"""The list of models, in the forms of several servers."""

from typing import Any

from tests.support.mock_openrouter.behaviour import behaviour

CONTEXT_LENGTH = 131_072
MODELS = (
    "mock/echo-c4096",
    "mock/echo-c512",
    "mock/n64-d0",
    "mock/n64-d2",
    "mock/n64-d100",
    "mock/j200-d0",
    "mock/tools",
    "mock/reason",
)
PAGE = 4


def models(path: str) -> dict[str, Any]:
    """List them for a path with its query string."""
    if path.startswith("/vllm/"):
        return _listed([{"max_model_len": _length(model), "root": model} for model in MODELS])
    if path.startswith("/llamacpp/"):
        return _listed([{"meta": {"n_vocab": 49152, "n_ctx_train": _length(model)}} for model in MODELS])
    if path.startswith("/v1/"):
        return _listed([{} for _ in MODELS])
    return _page(int(path.partition("offset=")[2].partition("&")[0] or 0))


def _page(offset: int) -> dict[str, Any]:
    page = [_openrouter(model) for model in MODELS[offset : offset + PAGE]]
    more = offset + PAGE < len(MODELS)
    following = f"/api/v1/models?offset={offset + PAGE}&limit={PAGE}" if more else None
    return {"data": page, "links": {"next": following}, "total_count": len(MODELS)}


def _length(model: str) -> int:
    return behaviour(model).context_length or CONTEXT_LENGTH


def _listed(details: list[dict[str, Any]]) -> dict[str, Any]:
    about = [
        {"id": model, "object": "model", "created": 1700000000, "owned_by": "mock", **more}
        for model, more in zip(MODELS, details, strict=True)
    ]
    return {"object": "list", "data": about}


def _openrouter(model: str) -> dict[str, Any]:
    return {
        "id": model,
        "canonical_slug": model,
        "name": f"Mock: {model}",
        "created": 1700000000,
        "description": "Answers as its name says.",
        "context_length": _length(model),
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text", "image"] if model == "mock/reason" else ["text"],
            "output_modalities": ["text"],
        },
        "pricing": {"prompt": "0.000001", "completion": "0.000001", "request": "0"},
        "top_provider": {
            "context_length": _length(model), "max_completion_tokens": 2048, "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "temperature", "tools", "stop"],
    }  # fmt: skip
