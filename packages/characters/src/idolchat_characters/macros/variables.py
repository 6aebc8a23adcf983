"""Macros that set and get variables, which last as long as one template is resolved: nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from idolchat_characters.macros.expansion import Call, Handler

__all__ = ["VARIABLES"]


def _set(call: Call) -> str:
    call.expansion.variables[call.argument(0)] = call.argument(1)
    return ""


def _get(call: Call) -> str:
    return call.expansion.variables.get(call.argument(0), "")


def _has(call: Call) -> str:
    return "true" if call.argument(0) in call.expansion.variables else "false"


def _delete(call: Call) -> str:
    call.expansion.variables.pop(call.argument(0), None)
    return ""


def _add(call: Call) -> str:
    """Add a number to a number, else a text to a text."""
    name, value = call.argument(0), call.argument(1)
    before = call.expansion.variables.get(name, "0")
    numbers = [_number(before), _number(value)]
    if None in numbers:
        call.expansion.variables[name] = ("" if before == "0" else before) + value
    else:
        call.expansion.variables[name] = f"{sum(filter(None, numbers)):.15g}"
    return ""


def _step(by: int) -> Handler:
    def resolve(call: Call) -> str:
        name = call.argument(0)
        call.expansion.variables[name] = f"{(_number(call.expansion.variables.get(name, '0')) or 0) + by:.15g}"
        return call.expansion.variables[name]

    return resolve


def _number(text: str) -> float | None:
    try:
        return float(text) if len(text) < 40 else None
    except ValueError:
        return None


_KINDS: Mapping[str, Callable[[Call], str | None]] = {
    "set{}var": _set,
    "get{}var": _get,
    "has{}var": _has,
    "delete{}var": _delete,
    "add{}var": _add,
    "inc{}var": _step(1),
    "dec{}var": _step(-1),
}
VARIABLES: Mapping[str, Handler] = {
    name.format(scope): handler for name, handler in _KINDS.items() for scope in ("", "global")
}
