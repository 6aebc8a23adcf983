"""What a line of the log looks like."""

import json
import logging
from uuid import UUID

import pytest

from idolchat_api.observability.logs import REQUEST_ID, JsonFormatter, TextFormatter

TURN_ID = UUID("0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32")


def record(message: str = "turn ended", *, error: ValueError | None = None, **facts: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"name": "idolchat_core.turns.engine", "levelno": logging.INFO, "levelname": "INFO", **facts}
    )
    made.msg, made.created, made.msecs = message, 1764100000.25, 250.0
    if error is not None:
        try:
            raise error
        except ValueError as raised:
            made.exc_info = (type(raised), raised, raised.__traceback__)
    return made


def test_a_plain_line_ends_with_the_facts() -> None:
    line = TextFormatter().format(record(turn_id=TURN_ID, status=200))

    assert (
        line == f"2025-11-25T19:46:40.250Z INFO    idolchat_core.turns.engine: turn ended turn_id={TURN_ID} status=200"
    )


def test_a_json_line_holds_the_facts() -> None:
    line = json.loads(JsonFormatter().format(record(turn_id=TURN_ID, odd={1, 2})))

    assert line == {
        "time": "2025-11-25T19:46:40.250Z",
        "level": "info",
        "logger": "idolchat_core.turns.engine",
        "message": "turn ended",
        "turn_id": str(TURN_ID),
        "odd": "{1, 2}",
    }


def test_a_line_carries_the_id_of_its_request() -> None:
    token = REQUEST_ID.set("abc")

    line = json.loads(JsonFormatter().format(record()))

    REQUEST_ID.reset(token)
    assert line["request_id"] == "abc"


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_an_error_is_told_by_its_kind_and_place(formatter: logging.Formatter) -> None:
    line = formatter.format(record(error=ValueError("what the user wrote")))

    assert "ValueError" in line
    assert "test_logs.py" in line
    assert "what the user wrote" not in line


def test_a_debug_log_tells_an_errors_text(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        line = TextFormatter().format(record(error=ValueError("what the user wrote")))

    assert "what the user wrote" in line


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_line_stays_one_line(formatter: logging.Formatter) -> None:
    line = formatter.format(record(route="/a\nb\x1b[2J"))

    assert "\n" not in line
    assert "\x1b" not in line
