"""The form of what a command prints with ``--json``."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from idolchat_core.errors import IdolchatError

__all__ = ["Problem", "Result"]


class Result(BaseModel):
    """A value for programs; its fields stay, others may be added.

    A command's module names its type in ``RESULT``, from which the reference is made; ``RESULT_LINES`` for a command
    that prints one a line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(Result):
    """An error, as the API tells it."""

    code: str = Field(description="what kind of error it is; codes stay")
    message: str

    @classmethod
    def of(cls, error: IdolchatError) -> Self:
        return cls(code=error.code, message=str(error))
