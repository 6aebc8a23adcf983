"""Times as other programs write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_cli.conversations.importing.times import read_time

AT = datetime(2023, 6, 19, 14, 20, tzinfo=UTC)
SECONDS = int(AT.timestamp())


@pytest.mark.parametrize(
    "value",
    [
        SECONDS, float(SECONDS), SECONDS * 10**3, SECONDS * 10**6, SECONDS * 10**9, str(SECONDS), f"{SECONDS}000",
        "June 19, 2023 2:20pm", "Jun 19, 2023 2:20 PM", "2023-6-19@14h20m00s", "2023-6-19 @14h 20m 00s 000ms",
        "2023-06-19T14:20:00.000Z", "2023-06-19T16:20:00+02:00", "2023-06-19 14:20:00", {"$date": SECONDS * 1000},
        {"$date": {"$numberLong": f"{SECONDS}000"}},
    ],
)  # fmt: skip
def test_every_way_of_writing_a_time_is_read(value: Any) -> None:
    assert read_time(value) == AT


@given(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=2)
    | st.from_regex(r"\d{1,4}-\d{1,2}-\d{1,2}@\d{1,2}h\d{1,2}m\d{1,2}s")
)  # fmt: skip
def test_whatever_is_no_time_is_none(value: Any) -> None:
    time = read_time(value)

    assert time is None or 1970 <= time.year < 2100
