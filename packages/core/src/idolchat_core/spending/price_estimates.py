"""What models cost lately, to estimate what a reply cost that was cut before the provider told."""

from __future__ import annotations

from idolchat_core.models import Usage

__all__ = ["Prices"]

MAX_MODELS = 1000


class Prices:
    """Cost for a token, prompt and reply together, by model: a mean that follows what comes."""

    def __init__(self) -> None:
        self._per_token: dict[str | None, float] = {}

    def learn(self, model: str | None, *, tokens: int, cost: float) -> None:
        """Record what some tokens cost."""
        if tokens <= 0 or cost < 0:
            return
        if len(self._per_token) >= MAX_MODELS:
            self._per_token.clear()
        known = self._per_token.get(model, cost / tokens)
        self._per_token[model] = known + 0.2 * (cost / tokens - known)

    def priced(self, usage: Usage, model: str | None) -> Usage:
        """Return usage with an estimated cost where it has none, and learn from a cost that is known."""
        tokens = usage.input_tokens + usage.output_tokens
        if usage.cost is not None:
            self.learn(model, tokens=tokens, cost=usage.cost)
        elif usage.is_estimate and model in self._per_token:
            return usage.model_copy(update={"cost": tokens * self._per_token[model]})
        return usage
