from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from idolchat_characters.macros.dates import formatted, humanized

if TYPE_CHECKING:
    from macros.conftest import Expand

AT = datetime(2026, 3, 2, 0, 5, 9, 70_000, tzinfo=timezone(timedelta(hours=9)))


def test_times_in_the_prefix_are_those_of_the_start(expanded: Expand) -> None:
    started, now = datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 2, 3, 17, 5, tzinfo=UTC)

    assert expanded("{{isodate}} {{time}}", started_at=started, now=now) == "2026-01-01 9:00 AM"
    assert expanded("{{isodate}} {{time}}", started_at=started, now=now, place="tail") == "2026-02-03 5:05 PM"


def test_the_time_away_is_told_in_the_tail_alone(expanded: Expand) -> None:
    now = datetime(2026, 1, 3, 9, tzinfo=UTC)
    last = now - timedelta(hours=5)

    assert expanded("{{idle_duration}}", now=now, user_was_last_here_at=last, place="tail") == "5 hours"
    assert expanded("{{idle_duration}}", now=now, user_was_last_here_at=last) == "just now"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("YYYY-MM-DD HH:mm:ss.SSS", "2026-03-02 00:05:09.070"),
        ("dddd, Do MMMM YY, h A", "Monday, 2nd March 26, 12 AM"),
        ("ddd MMM D hh:mm a Z ZZ", "Mon Mar 2 12:05 am +09:00 +0900"),
        ("[YYYY is] YYYY", "YYYY is 2026"),
        ("LL [at] LT", "March 2, 2026 at 12:05 AM"),
        ("L LTS", "03/02/2026 12:05:09 AM"),
        ("Q DDD E d W", "1 61 1 1 10"),
        ("X", "1772377509"),
    ],
)
def test_a_time_is_written_in_its_form(form: str, text: str) -> None:
    assert formatted(AT, form) == text


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(seconds=44), "a few seconds"),
        (timedelta(seconds=50), "a minute"),
        (timedelta(minutes=44), "44 minutes"),
        (timedelta(minutes=46), "an hour"),
        (timedelta(hours=21), "21 hours"),
        (timedelta(hours=23), "a day"),
        (timedelta(days=25), "25 days"),
        (timedelta(days=30), "a month"),
        (timedelta(days=100), "3 months"),
        (timedelta(days=345), "a year"),
        (timedelta(days=-800), "2 years"),
    ],
)
def test_a_length_of_time_is_told_in_words(duration: timedelta, words: str) -> None:
    assert humanized(duration) == words


def test_two_times_are_compared(expanded: Expand) -> None:
    assert expanded("{{timeDiff::2020-01-03::2020-01-01 00:00}}") == "in 2 days"
    assert expanded("{{timeDiff::soon::2020-01-01}}|") == "|"
