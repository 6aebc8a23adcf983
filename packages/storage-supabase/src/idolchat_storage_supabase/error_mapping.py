"""One table from what Supabase says to what it means, and how to mend it.

Storage answers nearly every error with status 400 and tells the real one in the body, and PostgREST by its code;
observed 2026-11-23 with storage-api of 2026-08 and PostgREST 10.2, and its changelog up to 14.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import httpx
from postgrest.exceptions import APIError
from storage3.exceptions import StorageApiError

from idolchat_core import DocumentRefused, StorageUnavailable
from idolchat_storage_supabase.errors import (
    AlreadyThere,
    BucketNotSeen,
    NoSuchColumn,
    NoSuchObject,
    NoSuchTable,
    RowRefused,
    TransientError,
)

__all__ = ["ErrorMapper"]

_KEY = "SUPABASE_SERVICE_ROLE_KEY"
_NEW_KEY = "copy the secret key anew (dashboard: Project Settings, API Keys)"
_LONGEST_QUOTE = 200
_NO_TABLE = {"42P01", "PGRST205"}
_BAD_KEY = {"PGRST300", "PGRST301", "PGRST302", "PGRST303", "401"}
_NO_CONNECTION = {"PGRST000", "PGRST001", "PGRST002", "PGRST003"}
_NO_COLUMN = {"42703", "PGRST204"}
_BAD_ROW = {"22P02", "22007", "23502", "23503", "23505", "23514", "42501", "42P10"}


class ErrorMapper:
    """Raises what core knows in place of what the client raises; messages name the host and the bucket, not the key."""

    def __init__(self, *, host: str, bucket: str) -> None:
        self._host = host
        self._bucket = bucket

    @contextmanager
    def mapped(self) -> Iterator[None]:
        """Raise what is raised inside as core knows it."""
        try:
            yield
        except StorageApiError as error:
            raise self._of_storage(error) from error
        except APIError as error:
            raise self._of_rest(error) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise TransientError(f"Supabase at {self._host} did not answer in time") from error
        except (httpx.TransportError, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            said = str(error) or type(error).__name__
            raise TransientError(f"Supabase at {self._host} cannot be reached: {said}") from error
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, ValueError, KeyError, TypeError) as error:
            text = (
                f"{self._host} gave an answer that is not Supabase's; is SUPABASE_URL right? ({type(error).__name__})"
            )
            raise StorageUnavailable(text) from error

    def _of_storage(self, error: StorageApiError) -> StorageUnavailable:
        status = str(error.status)
        if isinstance(error.status, int):
            return self._of_status(error.status, "Storage")
        if status == "404" and error.code == "not_found":
            return NoSuchObject(f"no such object in bucket {self._bucket!r} at {self._host}")
        if status == "404":
            return BucketNotSeen(
                f"bucket {self._bucket!r} at {self._host} is not there or {_KEY} may not see it: check"
                " SUPABASE_STORAGE_BUCKET, and that the key is the secret one of this project and has not expired;"
                " `idol serve` makes a bucket that is missing when it starts"
            )
        if status in _STORAGE:
            kind, text = _STORAGE[status]
            return kind(text.format(bucket=self._bucket, host=self._host))
        if error.code == "InvalidKey":
            return DocumentRefused(f"Supabase Storage at {self._host} takes no object of this name: {error.message}")
        if status == "403":
            return StorageUnavailable(self._refused(error.message))
        if status.startswith("5"):
            return TransientError(f"Supabase Storage at {self._host} fails ({status}): {_quoted(error.message)}")
        return StorageUnavailable(f"Supabase Storage at {self._host} answered {status}: {_quoted(error.message)}")

    def _refused(self, message: str) -> str:
        if "claim timestamp" in message:
            return f"{_KEY} has expired, says {self._host}; {_NEW_KEY}"
        if "row-level security" in message:
            return f"{_KEY} has no right to bucket {self._bucket!r} at {self._host}; it must be the secret key"
        return f"{_KEY} is not a key of {self._host} ({_quoted(message)}); {_NEW_KEY}"

    def _of_rest(self, error: APIError) -> StorageUnavailable:
        code, message = str(error.code or ""), _quoted(error.message or "")
        if code in _NO_TABLE:
            return NoSuchTable(f"there is no table chats at {self._host}")
        if code in _BAD_KEY or "API key" in message:
            return StorageUnavailable(
                f"{_KEY} is not accepted by the REST interface of {self._host} ({message}); {_NEW_KEY}"
            )
        if code in _NO_COLUMN:
            return NoSuchColumn(f"table chats at {self._host} lacks a column ({code}): {message}")
        if code in _BAD_ROW:
            return RowRefused(f"table chats at {self._host} refuses a row ({code}): {message}")
        if code in _NO_CONNECTION:
            return TransientError(f"the database of {self._host} cannot be reached ({code}): {message}")
        if code.isdigit() and len(code) == 3:
            return self._of_status(int(code), "REST")
        return StorageUnavailable(f"the REST interface of {self._host} answered {code or 'an error'}: {message}")

    def _of_status(self, status: int, part: str) -> StorageUnavailable:
        if status == 429 or status >= 500:
            return TransientError(f"Supabase {part} at {self._host} is unavailable (HTTP {status})")
        if status in (401, 403):
            return StorageUnavailable(f"{_KEY} is not accepted by {self._host} (HTTP {status}); {_NEW_KEY}")
        if status == 413:
            return DocumentRefused(_STORAGE["413"][1].format(bucket=self._bucket, host=self._host))
        return StorageUnavailable(
            f"{self._host} answered HTTP {status} without Supabase's words; is SUPABASE_URL right?"
        )


_STORAGE: dict[str, tuple[type[StorageUnavailable], str]] = {
    "409": (AlreadyThere, "it is there already, in bucket {bucket!r} at {host}"),
    "413": (
        DocumentRefused,
        "the document is larger than bucket {bucket!r} at {host} takes; raise its file size limit, and the project's"
        " (dashboard: Storage, Settings)",
    ),
    "415": (
        DocumentRefused,
        "bucket {bucket!r} at {host} does not take this type of file; let it take application/json and"
        " application/octet-stream, or any",
    ),
    "429": (TransientError, "Supabase Storage at {host} asks for a slower pace"),
}


def _quoted(message: str) -> str:
    return " ".join(message.split())[:_LONGEST_QUOTE]
