"""Lists of objects, in the order and with the refusals of storage-api's function ``storage.search``."""

from collections.abc import Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

from tests.support.mock_supabase.refusals import bad_request
from tests.support.mock_supabase.rows import file_item, folder_item
from tests.support.mock_supabase.state import State, StoredObject

__all__ = ["check_list_request", "list_objects"]

MAX_LIMIT = 1500
_COLUMNS = ("name", "updated_at", "created_at", "last_accessed_at")
_NOT_ALLOWED = "must be equal to one of the allowed values"

type Items = list[dict[str, Any]]
type Keys = list[tuple[str, StoredObject]]


def check_list_request(asked: Mapping[str, Any]) -> None:
    """Refuse what the schema of the request does not allow."""
    if "prefix" not in asked:
        raise bad_request("body must have required property 'prefix'")
    if asked.get("limit", 1) < 1:
        raise bad_request("body/limit must be >= 1")
    if asked.get("offset", 0) < 0:
        raise bad_request("body/offset must be >= 0")
    sort_by = asked.get("sortBy")
    if sort_by is None:
        return
    if "column" not in sort_by:
        raise bad_request("body/sortBy must have required property 'column'")
    if sort_by["column"] not in _COLUMNS:
        raise bad_request(f"body/sortBy/column {_NOT_ALLOWED}")
    if sort_by.get("order", "asc") not in ("asc", "desc"):
        raise bad_request(f"body/sortBy/order {_NOT_ALLOWED}")


def list_objects(state: State, bucket: str, asked: Mapping[str, Any]) -> Items:
    """List a page of what is in a folder; names are relative to the prefix."""
    prefix = asked["prefix"]
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    wanted = (prefix + asked.get("search", "")).lower()
    found = [(key, stored) for key, stored in state.keys(bucket) if key.lower().startswith(wanted)]
    sort_by = asked.get("sortBy") or {}
    is_descending = sort_by.get("order", "asc") == "desc"
    column = sort_by.get("column", "name")
    if column == "name":
        items = _by_name(found, len(prefix), is_descending=is_descending)
    else:
        items = _by_time(found, len(prefix), column, is_descending=is_descending)
    start = asked.get("offset", 0)
    return items[start : start + min(asked.get("limit", 100), MAX_LIMIT)]


def _by_name(found: Keys, start: int, *, is_descending: bool) -> Items:
    """Folders stand among the files; upper and lower case are one."""
    found.sort(key=lambda one: one[0].lower(), reverse=is_descending)
    items: Items = []
    for (_, is_folder), group in groupby(found, key=lambda one: _head(one[0].lower(), start)):
        if is_folder:
            items.append(folder_item(_head(next(group)[0], start)[0]))
        else:
            items += [file_item(key[start:], stored) for key, stored in group]
    return items


def _by_time(found: Keys, start: int, column: str, *, is_descending: bool) -> Items:
    """Folders, which have no times, stand before all files, whichever the order."""
    heads = [(*_head(key, start), stored) for key, stored in found]
    folders = sorted({name for name, is_folder, _ in heads if is_folder}, reverse=is_descending)
    files = [(name, stored) for name, is_folder, stored in heads if not is_folder]
    # By the microseconds of the database, of which an answer shows the milliseconds.
    time_of = attrgetter("updated_at" if column == "updated_at" else "created_at")
    files.sort(key=lambda one: time_of(one[1]), reverse=is_descending)
    return [*map(folder_item, folders), *[file_item(name, stored) for name, stored in files]]


def _head(key: str, start: int) -> tuple[str, bool]:
    name, slash, _ = key[start:].partition("/")
    return name, bool(slash)
