"""Which days words for a time mean, on Sunday the 29th of November 2026."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_memory.recall.periods import find_time

NOW = datetime(2026, 11, 29, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("what did we do yesterday?", "2026-11-28", "2026-11-28"),
        ("the day before yesterday", "2026-11-27", "2026-11-27"),
        ("3 days ago", "2026-11-26", "2026-11-26"),
        ("two weeks ago", "2026-11-12", "2026-11-18"),
        ("last week", "2026-11-16", "2026-11-22"),
        ("last month", "2026-10-01", "2026-10-31"),
        ("last year", "2025-01-01", "2025-12-31"),
        ("last Monday", "2026-11-23", "2026-11-23"),
        ("over the weekend", "2026-11-28", "2026-11-29"),
        ("in May", "2026-05-01", "2026-05-31"),
        ("in December", "2025-12-01", "2025-12-31"),
        ("on 8 May 2023", "2023-05-08", "2023-05-08"),
        ("May 8th, 2023", "2023-05-08", "2023-05-08"),
        ("2023-05-08", "2023-05-08", "2023-05-08"),
        ("in 2023", "2023-01-01", "2023-12-31"),
        ("昨日", "2026-11-28", "2026-11-28"),
        ("3日前", "2026-11-26", "2026-11-26"),
        ("先週の金曜日", "2026-11-20", "2026-11-20"),
        ("先週何した?", "2026-11-16", "2026-11-22"),
        ("2023年5月8日", "2023-05-08", "2023-05-08"),
        ("어제", "2026-11-28", "2026-11-28"),
        ("지난주 토요일", "2026-11-21", "2026-11-21"),
        ("2주 전", "2026-11-12", "2026-11-18"),
        ("5월 3일", "2026-05-03", "2026-05-03"),
        ("昨天", "2026-11-28", "2026-11-28"),
        ("上周三", "2026-11-18", "2026-11-18"),
        ("三天前", "2026-11-26", "2026-11-26"),
        ("两个月前", "2026-09-01", "2026-09-30"),
        ("上个月", "2026-10-01", "2026-10-31"),
    ],
)
def test_words_for_a_time_are_read_as_days(text: str, first: str, last: str) -> None:
    period, _ = find_time(text, NOW)

    assert period is not None
    assert (period.start, period.end) == tuple(
        datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(more) for day, more in ((first, 0), (last, 1))
    )


@pytest.mark.parametrize(
    "text", ["the other day", "a few years ago", "last summer", "この前", "최근", "前几天", "February 30"]
)
def test_a_time_that_is_no_days_is_told(text: str) -> None:
    assert find_time(text, NOW).period is None
    assert find_time(text, NOW).vague is not None


@pytest.mark.parametrize("text", ["I may go", "march on", "12 apples", "the weak", "a second helping", ""])
def test_other_words_are_no_time(text: str) -> None:
    assert find_time(text, NOW).period is None
    assert find_time(text, NOW).vague is None


def test_days_are_those_of_the_user_s_time_zone() -> None:
    period, _ = find_time("yesterday", NOW.astimezone(timezone(timedelta(hours=9))))

    assert period is not None
    assert period.start.isoformat() == "2026-11-29T00:00:00+09:00"


@given(st.text(max_size=60), st.datetimes())
def test_no_text_is_too_much(text: str, now: datetime) -> None:
    period, _ = find_time(text, now.replace(tzinfo=UTC))

    assert period is None or period.start < period.end
