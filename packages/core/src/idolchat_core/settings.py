"""Settings of core, and the form that every package's settings have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from idolchat_core.dotenv_file import DOTENV, DOTENV_ENCODING, check_dotenv
from idolchat_core.errors import ConfigurationError
from idolchat_core.spending.settings import SpendingSettings

__all__ = ["CoreSettings", "PackageSettings", "UserPath", "read_settings"]


def _expanded(value: Path) -> Path:
    try:
        return value.expanduser()
    except RuntimeError as error:  # ~name of a user that this machine does not know
        raise ValueError(f"{error}: write the path in full") from error


UserPath = Annotated[Path, AfterValidator(_expanded)]
"""A path as people write it in a setting: ``~`` is the home folder."""


class PackageSettings(BaseSettings):
    """The settings of one package: environment variables first, then ``.env`` in the working directory.

    Each field names its variable in ``validation_alias`` and says in ``description`` what it does.
    """

    model_config = SettingsConfigDict(
        env_file=DOTENV,
        env_file_encoding=DOTENV_ENCODING,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def variables_of(cls, name: str) -> tuple[str, ...]:
        """Return the variables that a field is read from, in capitals; the first that is set counts."""
        match cls.model_fields[name].validation_alias:
            case str() as alias:
                return (alias.upper(),)
            case AliasChoices(choices=choices):
                return tuple(choice.upper() for choice in choices if isinstance(choice, str))
            case _:
                return (f"{cls.model_config.get('env_prefix', '')}{name}".upper(),)


class CoreSettings(SpendingSettings, PackageSettings):
    """Which parts are in use, what every prompt begins with, and what may be spent."""

    storage: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="IDOLCHAT_STORAGE", description="Storages, comma separated: the primary, then its mirrors."
    )
    bus: str | None = Field(
        None,
        validation_alias="IDOLCHAT_BUS",
        description="Name of the bus between the servers of a shared storage; unset, the storage's own.",
    )
    llm: str | None = Field(None, validation_alias="IDOLCHAT_LLM", description="Name of the LLM provider.")
    model: str | None = Field(
        None, validation_alias="IDOLCHAT_MODEL", description="Model of a request that names none."
    )
    plugins: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default_factory=lambda: () if os.environ.get("IDOLCHAT_PLUGINS") == "" else None,
        validation_alias="IDOLCHAT_PLUGINS",
        description="Plugins to load, comma separated; unset loads all, empty none.",
    )
    data_dir: UserPath = Field(
        Path("data"), validation_alias="IDOLCHAT_DATA_DIR", description="Folder of everything kept on this machine."
    )
    system_prompt: str | None = Field(
        None, validation_alias="SYSTEM_PROMPT", description="Text that every prompt begins with."
    )
    prompt_layout: Literal["stable", "sillytavern"] = Field(
        "stable",
        validation_alias="IDOLCHAT_PROMPT_LAYOUT",
        description="`stable` puts what varies from turn to turn at the end of the prompt, where it spoils no prompt"
        " cache; `sillytavern` leaves it where its source put it.",
    )
    prompt_retention_days: int = Field(
        30,
        ge=1,
        le=36_500,
        validation_alias="IDOLCHAT_PROMPT_RETENTION_DAYS",
        description="Days that what went into a prompt can be asked for, where plugins had a part in it.",
    )
    keep_thinking: bool = Field(
        False,
        validation_alias="IDOLCHAT_KEEP_THINKING",
        description="true sends the model its earlier thoughts again, those that stand in <think> at the beginning of"
        " a reply's text.",
    )
    context_length: int = Field(
        8192,
        ge=512,
        validation_alias="IDOLCHAT_CONTEXT_LENGTH",
        description="Context window in tokens of a model whose provider does not tell it.",
    )
    max_queued_turns: int = Field(
        16,
        ge=0,
        validation_alias="IDOLCHAT_MAX_QUEUED_TURNS",
        description="How many turns may wait for the running one in a conversation.",
    )
    history_bytes: int = Field(
        48 * 1024 * 1024,
        ge=0,
        validation_alias="IDOLCHAT_HISTORY_BYTES",
        description="Memory for the conversations in use; beyond it the one used longest ago is read again next time.",
    )
    turn_retention_s: float = Field(
        600,
        ge=0,
        validation_alias="IDOLCHAT_TURN_RETENTION_S",
        description="How long the events of a finished turn can be replayed, in seconds.",
    )
    turn_retention_bytes: int = Field(
        16 * 1024 * 1024,
        ge=0,
        validation_alias="IDOLCHAT_TURN_RETENTION_BYTES",
        description="Memory for the events of finished turns; beyond it the oldest go first.",
    )
    shutdown_grace_s: float = Field(
        20,
        ge=0,
        validation_alias="IDOLCHAT_SHUTDOWN_GRACE_S",
        description="How long running turns may take to finish when the server stops, in seconds.",
    )

    mirror_bytes_per_s: float = Field(
        65_536,
        ge=1024,
        validation_alias="IDOLCHAT_MIRROR_BYTES_PER_S",
        description="How fast the allowance grows by which one conversation is copied to a mirror again and again.",
    )

    @field_validator("storage", "plugins", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value


def read_settings[S: PackageSettings](settings: type[S], **given: Any) -> S:
    """Read a package's settings, with some given; raises ``ConfigurationError`` that names the variable.

    What is ``given`` by field name comes before the environment. A value is not repeated in the error where it may
    be a secret.
    """
    check_dotenv(_variables_of(settings))
    try:
        return settings(**{_variable(settings, name): value for name, value in given.items()})
    except ValidationError as error:
        raise ConfigurationError(_explained(settings, error)) from None


def _variables_of(settings: type[PackageSettings]) -> frozenset[str]:
    return frozenset(variable for name in settings.model_fields for variable in settings.variables_of(name))


def _variable(settings: type[PackageSettings], name: str) -> str:
    return settings.variables_of(name)[0] if name in settings.model_fields else name


def _explained(settings: type[PackageSettings], error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        place = str(problem["loc"][0]) if problem["loc"] else settings.__name__
        name = _field_of(settings, place)
        field = settings.model_fields.get(name)
        variable = " or ".join(settings.variables_of(name)) if field else place
        wanted = f" ({field.description})" if field and field.description else ""
        found = "" if problem["type"] == "missing" or _is_secret(field) else f" is {problem['input']!r}"
        lines.append(f"{variable}{found}: {problem['msg']}{wanted}")
    return "; ".join(lines)


def _is_secret(field: FieldInfo | None) -> bool:
    return field is None or "Secret" in str(field.annotation)


def _field_of(settings: type[PackageSettings], variable: str) -> str:
    if variable in settings.model_fields:
        return variable
    names = (name for name in settings.model_fields if variable.upper() in settings.variables_of(name))
    return next(names, variable)
