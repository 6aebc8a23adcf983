"""Errors of Storage: status 400 for nearly all of them, the real one in the body."""

from typing import Any

from aiohttp import web

from tests.support.mock_supabase.rows import json_answer

__all__ = ["Refused", "bad_request", "refused"]

_ERRORS = {
    "NoSuchBucket": ("404", "Bucket not found", "Bucket not found"),
    "NoSuchKey": ("404", "not_found", "Object not found"),
    "KeyAlreadyExists": ("409", "Duplicate", "The resource already exists"),
    "BucketAlreadyExists": ("409", "Duplicate", "The resource already exists"),
    "EntityTooLarge": ("413", "Payload too large", "The object exceeded the maximum allowed size"),
    "InvalidRange": ("416", "invalid_range", "invalid range provided"),
    "RowLevel": ("403", "Unauthorized", "new row violates row-level security policy"),
    "InternalError": ("500", "Internal", "Internal Server Error"),
}
_TRUE_STATUS = ("416", "500")


class Refused(Exception):
    """A call ends in an error of the service."""

    def __init__(self, status_code: str, error: str, message: str, code: str) -> None:
        super().__init__(message)
        body: dict[str, Any] = {"statusCode": status_code, "error": error, "message": message, "code": code}
        self._body = body
        self._status = int(status_code) if status_code in _TRUE_STATUS else 400

    @property
    def response(self) -> web.Response:
        """The answer."""
        return json_answer(self._body, status=self._status)


def refused(code: str) -> Refused:
    """Make one of the usual errors."""
    return Refused(*_ERRORS[code], "AccessDenied" if code == "RowLevel" else code)


def bad_request(message: str) -> Refused:
    """Make the error of a request that is not as the schema wants it."""
    return Refused("400", "Error", message, "InvalidRequest")
