from typing import Any

import pytest

from idolchat_llm_openrouter.error_object import ErrorObject, error_in, error_of_text


@pytest.mark.parametrize(
    ("value", "message", "code", "status"),
    [
        ({"error": {"message": "m", "code": 400}}, "m", None, 400),
        ({"error": {"message": "m", "type": "t", "code": "c"}}, "m", "c", None),
        ({"error": "m", "error_type": "validation"}, "m", "validation", None),
        ({"code": "Some words", "error": "m"}, "m", None, None),
        ([{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}], "m", "INVALID_ARGUMENT", 400),
        ({"object": "error", "message": "m", "code": 404}, "m", None, 404),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, "m", "overloaded_error", None),
        ({"detail": "m"}, "m", None, None),
        ({"detail": [{"loc": ["body"], "msg": "m", "type": "missing"}]}, "m", None, None),
        ({"detail": {"message": "m"}}, "m", None, None),
        ({"message": "m", "__type": "ValidationException"}, "m", "ValidationException", None),
        ({"success": False, "errors": [{"code": 7, "message": "m"}]}, "m", None, None),
        ({"status": 404, "error": "Not Found", "message": "m"}, "m", None, 404),
        ({"error": {"error": {"message": "m"}}}, "m", None, None),
        ({"error": {"message": '{"error": {"message": "m"}}'}}, "m", None, None),
        ({"error": {"message": "outer", "metadata": {"raw": '{"message": "m"}'}}}, "m", None, None),
    ],
)
def test_errors_are_found_in_every_form(value: Any, message: str, code: str | None, status: int | None) -> None:
    found = error_in(value)
    assert found is not None
    about = ErrorObject(found, None)

    assert (about.message, about.code, about.status) == (message, code, status)


@pytest.mark.parametrize(
    "value",
    [None, 5, "text", [], {}, {"choices": []}, {"error": None, "choices": []}, {"usage": {}}, {"type": "ping"}, [[]]],
)
def test_what_is_no_error_is_not_taken_for_one(value: Any) -> None:
    assert error_in(value) is None


@pytest.mark.parametrize("value", [{"error": True}, {"error": {}, "errors": [5]}, {"error": [[[[[[[[["m"]]]]]]]]]}])
def test_an_error_that_says_nothing_is_one_all_the_same(value: Any) -> None:
    found = error_in(value)

    assert found is None or ErrorObject(found, 500).status == 500


def test_a_page_is_no_text_of_an_error() -> None:
    assert error_of_text(b" <html>") is None
    assert error_of_text(b"overloaded\n") == {"message": "overloaded"}
