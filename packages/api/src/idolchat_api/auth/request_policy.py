"""What requests may contain: roles, fields, models, tokens, prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from idolchat_api.auth.links import check_links
from idolchat_api.auth.principal import Principal
from idolchat_api.request_extras import EXTRAS, extras_in, granted_by_name
from idolchat_api.settings.auth import RequestPolicySettings
from idolchat_core.characters.contract import DirectoryEntry
from idolchat_core.errors import ConfigurationError, InvalidRequest
from idolchat_core.turns.request import NewMessage, TurnOptions, TurnRequest

__all__ = ["RequestPolicy"]

USER_ROLES = frozenset({"user", "tool"})
REPLY_ROLES = frozenset({"assistant"})
_TOKENS = ("max_tokens", "max_completion_tokens")


class RequestPolicy:
    """Checks requests against the settings, and fills in defaults and ceilings."""

    def __init__(self, settings: RequestPolicySettings, *, default_model: str | None) -> None:
        self._roles = frozenset(settings.client_roles)
        self._refused = frozenset(settings.refused_fields)
        self._refused_to_users = EXTRAS - frozenset(settings.user_extras)
        self._models = settings.models
        self._max_tokens = settings.max_tokens
        prices = {"prompt": settings.max_prompt_price, "completion": settings.max_completion_price}
        self._prices = {name: price for name, price in prices.items() if price is not None}
        self._replacement_default = self._default_within(default_model)
        self.default_model = self._replacement_default or default_model
        self._limits_nothing = not (self._refused or self._models or self._prices) and self._max_tokens is None

    def check_messages(self, principal: Principal, request: TurnRequest, *, with_replies: bool = False) -> None:
        """Raise ``InvalidRequest`` for a message that the caller may not send."""
        for position, message in enumerate(request.messages):
            self.check_message(principal, message, f"messages.{position}", with_replies=with_replies)

    def check_message(
        self, principal: Principal, message: NewMessage, place: str, *, with_replies: bool = False
    ) -> None:
        """Raise ``InvalidRequest`` where the caller may not send this message; ``place`` names it.

        ``with_replies`` lets in what the assistant said.
        """
        if principal.is_trusted and not self._roles:
            return
        allowed = (self._roles or USER_ROLES) | (REPLY_ROLES if with_replies else frozenset())
        if message.role not in allowed:
            raise InvalidRequest(
                f"{place}.role: only {' and '.join(sorted(allowed))} messages are taken; the server has"
                " the history of the conversation, and its own instructions (IDOLCHAT_API_CLIENT_ROLES)",
                param=f"{place}.role",
            )
        if not principal.is_trusted and isinstance(message.content, list):
            check_links(message.content, f"{place}.content")

    def apply[T: TurnOptions](self, principal: Principal, options: T) -> T:
        """Return the request with defaults and ceilings filled in, also for what its character brings.

        Raises ``InvalidRequest`` where it asks for more.
        """
        if self._limits_nothing and principal.is_trusted:
            return options
        given = options.options
        for name in sorted(self._refused & given.keys()):
            raise InvalidRequest(f"{name} may not be set here (IDOLCHAT_API_REFUSED_FIELDS)", param=name)
        if not principal.is_trusted:
            self._check_extras(options)
        self._check_models(options)
        return self._within_ceilings(options).within(partial(self._with_character, principal, options))

    def _with_character(self, principal: Principal, asked: TurnOptions, entry: DirectoryEntry) -> TurnOptions:
        """Return what was asked with what a character brings: all that operators gave her, else what the caller may."""
        brought = entry if entry.by_operator else self._permitted(principal, entry)
        return self._within_ceilings(asked.with_character(self._shortened(brought)))

    def _permitted(self, principal: Principal, entry: DirectoryEntry) -> DirectoryEntry:
        refused = set(self._refused)
        if not principal.is_trusted:
            fields: dict[str, Any] = {**entry.options, "model": entry.model}
            extras = extras_in(TurnOptions.model_construct(**fields))
            refused |= {param.split(".")[0] for extra, param in extras if extra in self._refused_to_users}
        model = entry.model
        if model is None or "model" in refused or not self.allows_model(model):
            model = None
        options = {name: value for name, value in entry.options.items() if name not in refused}
        return replace(entry, model=model, options=options)

    def _shortened(self, entry: DirectoryEntry) -> DirectoryEntry:
        most = self._max_tokens
        if most is None:
            return entry
        options = {name: _at_most(value, most) if name in _TOKENS else value for name, value in entry.options.items()}
        return replace(entry, options=options)

    def _within_ceilings[T: TurnOptions](self, options: T) -> T:
        given = options.options
        changes: dict[str, Any] = {}
        if options.model is None and self._replacement_default:
            changes["model"] = self._replacement_default
        if self._max_tokens is not None:
            changes |= self._tokens(given, self._max_tokens)
        if self._prices:
            changes["provider"] = self._priced(given.get("provider"))
        return options.model_copy(update=changes) if changes else options

    def allows_model(self, model: str) -> bool:
        """Return whether a request may name this model."""
        return not self._models or any(
            fnmatchcase(model, pattern) and granted_by_name(pattern, model) for pattern in self._models
        )

    def _check_extras(self, options: TurnOptions) -> None:
        for extra, param in extras_in(options):
            if extra in self._refused_to_users:
                raise InvalidRequest(
                    f"{param}: users may not ask for {extra} here (IDOLCHAT_API_USER_EXTRAS)", param=param
                )

    def _default_within(self, default_model: str | None) -> str | None:
        if not self._models or (default_model is not None and self.allows_model(default_model)):
            return None
        if "*" in self._models[0]:
            raise ConfigurationError(
                f"IDOLCHAT_API_MODELS does not take in the default model ({default_model or 'the provider chooses'});"
                " name one of them in IDOLCHAT_MODEL"
            )
        return self._models[0]

    def _check_models(self, options: TurnOptions) -> None:
        if not self._models:
            return
        others = options.options.get("models")
        wanted = {"model": [options.model] if options.model else [], "models": others if others is not None else []}
        for param, names in wanted.items():
            if not isinstance(names, list) or not all(
                isinstance(name, str) and self.allows_model(name) for name in names
            ):
                raise InvalidRequest(f"{param}: must be of {', '.join(self._models)}", param=param)

    def _tokens(self, given: Mapping[str, Any], most: int) -> dict[str, Any]:
        asked = [name for name in _TOKENS if given.get(name) is not None]
        for name in asked:
            number = given[name]
            if type(number) is not int or not 1 <= number <= most:
                raise InvalidRequest(f"{name}: must be from 1 to {most} (IDOLCHAT_API_MAX_TOKENS)", param=name)
        return {} if asked else {"max_tokens": most}

    def _priced(self, provider: object) -> dict[str, Any]:
        """Return the provider preferences with a price ceiling; a lower one of the request stays."""
        wanted = {} if provider is None else provider
        asked = wanted.get("max_price") or {} if isinstance(wanted, dict) else None
        if not isinstance(wanted, dict) or not isinstance(asked, dict):
            raise InvalidRequest("provider: must be an object, and its max_price one", param="provider")
        for name in self._prices.keys() & asked.keys():
            if type(asked[name]) not in (int, float):
                raise InvalidRequest(f"provider.max_price.{name}: must be a number", param="provider")
        ceiling = {name: min(price, asked.get(name, price)) for name, price in self._prices.items()}
        return {**wanted, "max_price": {**asked, **ceiling}}


def _at_most(value: object, most: int) -> int:
    return min(value, most) if type(value) is int and value > 0 else most
