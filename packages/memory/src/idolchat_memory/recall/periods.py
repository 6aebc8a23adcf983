"""Words for a time, such as "last week" or "昨日": which days they mean, seen from the day on which they are said.

English, Japanese, Korean and Chinese. A week begins on Monday.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

__all__ = ["Period", "TimeWords", "find_time"]

_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september"]
_MONTHS += ["october", "november", "december"]
_SHORT_MONTHS = [month[:3] for month in _MONTHS]
_MONTH = "|".join([*_MONTHS, *(f"{name}(?=[. ])" for name in _SHORT_MONTHS if name != "may"), "sept"])
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS_ELSEWHERE = ("月火水木金土日", "월화수목금토일", "一二三四五六日")
_CJK_WEEKDAY = f"[{''.join(_WEEKDAYS_ELSEWHERE)}天]"
_LAST_WEEK = r"先週|지난\s?주|저번\s?주|上(?:个|個)?(?:周|週|星期|礼拜|禮拜)"
_NUMBER_WORDS = [
    "a an one 一 한 하나 일",
    "two couple 二 兩 两 두 이",
    "three 三 세 삼",
    "four 四 네 사",
    "five 五 다섯 오",
    "six 六 여섯 육",
    "seven 七 일곱 칠",
    "eight 八 여덟 팔",
    "nine 九 아홉 구",
    "ten 十 열 십",
]
"""For one, two, three and so on."""
_NUMBERS = {word: number for number, words in enumerate(_NUMBER_WORDS, 1) for word in words.split()}
_NUMBER = "|".join([r"\d{1,3}", *sorted(_NUMBERS, key=len, reverse=True)])


class Period(NamedTuple):
    """From the beginning of a day to that of another. ``words`` are those that say so.

    A relative one ("last week") is counted from the day on which it is said; another names a date.
    """

    start: datetime
    end: datetime
    words: str
    is_relative: bool


Days = tuple[date, date]
"""From the first to before the second."""


class TimeWords(NamedTuple):
    """What a text says of a time: a period, or else words for one that cannot be read as days, or neither."""

    period: Period | None
    vague: str | None


def find_time(text: str, now: datetime) -> TimeWords:
    """Find the first words for a time that can be read; ``now`` is aware, and tells the time zone of the days.

    Those that cannot be read are such as "the other day" or "February 30".
    """
    folded = text.lower()
    if _HINT.search(folded) is None:
        return TimeWords(None, None)
    unread: re.Match[str] | None = None
    for is_relative, pattern, days_of in _RULES:
        for match in pattern.finditer(folded):
            try:
                days = days_of(match, now.date())
            except (ValueError, OverflowError):
                days = None
            if days is not None:
                first, last = (datetime.combine(day, time(), now.tzinfo) for day in days)
                return TimeWords(Period(first, last, match[0].strip(), is_relative), None)
            unread = unread or match
    vague = _VAGUE.search(folded) or unread
    return TimeWords(None, vague[0].strip() if vague else None)


def _day(offset: int) -> Callable[[re.Match[str], date], Days]:
    return lambda _, today: (today + timedelta(offset), today + timedelta(offset + 1))


def _week(offset: int) -> Callable[[re.Match[str], date], Days]:
    def days(_: re.Match[str], today: date) -> Days:
        monday = today - timedelta(today.weekday()) + timedelta(7 * offset)
        return monday, monday + timedelta(7)

    return days


def _weekend(_: re.Match[str], today: date) -> Days:
    saturday = today - timedelta((today.weekday() - 5) % 7 or 7)
    return saturday, saturday + timedelta(2)


def _month(offset: int) -> Callable[[re.Match[str], date], Days]:
    return lambda _, today: _month_from(today.year, today.month + offset)


def _year(offset: int) -> Callable[[re.Match[str], date], Days]:
    return lambda _, today: (date(today.year + offset, 1, 1), date(today.year + offset + 1, 1, 1))


def _month_from(year: int, month: int) -> Days:
    first, after = ((year * 12 + month - 1 + more) for more in (0, 1))
    return date(first // 12, first % 12 + 1, 1), date(after // 12, after % 12 + 1, 1)


def _ago(match: re.Match[str], today: date) -> Days:
    count = _number(match["count"])
    unit = match["unit"]
    if unit in {"day", "日", "일", "天"}:
        return today - timedelta(count), today - timedelta(count - 1)
    if unit in {"week", "週間", "週", "주", "周", "星期", "礼拜", "禮拜"}:
        middle = today - timedelta(7 * count)
        return middle - timedelta(3), middle + timedelta(4)
    if unit in {"month", "か月", "ヶ月", "カ月", "ヵ月", "달", "개월", "个月", "個月", "月"}:
        return _month_from(today.year, today.month - count)
    return date(today.year - count, 1, 1), date(today.year - count + 1, 1, 1)


def _number(word: str) -> int:
    return int(word) if word.isdecimal() else _NUMBERS[word]


def _last_weekday(match: re.Match[str], today: date) -> Days:
    wanted = _weekday(match["weekday"])
    day = today - timedelta((today.weekday() - wanted) % 7 or 7)
    return day, day + timedelta(1)


def _weekday_of_last_week(match: re.Match[str], today: date) -> Days:
    monday = today - timedelta(today.weekday() + 7)
    day = monday + timedelta(_weekday(match["weekday"]))
    return day, day + timedelta(1)


def _weekday(name: str) -> int:
    if name in _WEEKDAYS:
        return _WEEKDAYS.index(name)
    if name == "天":
        return 6
    return next(names.index(name) for names in _WEEKDAYS_ELSEWHERE if name in names)


def _date(match: re.Match[str], today: date) -> Days | None:
    """Read a date with or without its year and day; without a year it is the latest that is not to come."""
    parts = match.groupdict()
    month = _month_number(parts["month"])
    day = int(parts["day"]) if parts.get("day") else None
    if parts.get("year"):
        year = int(parts["year"])
    else:
        year = today.year if date(today.year, month, day or 1) <= today else today.year - 1
    if day is None:
        return _month_from(year, month)
    found = date(year, month, day)
    return found, found + timedelta(1)


def _month_number(name: str) -> int:
    if name.isdecimal():
        return int(name)
    return 1 + next(number for number, month in enumerate(_SHORT_MONTHS) if name.startswith(month))


def _named_year(match: re.Match[str], _: date) -> Days:
    year = int(match["year"])
    return date(year, 1, 1), date(year + 1, 1, 1)


def _rules() -> Iterator[tuple[bool, re.Pattern[str], Callable[[re.Match[str], date], Days | None]]]:
    day = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
    year = r"(?P<year>(?:19|20)\d\d)"
    month = rf"(?P<month>{_MONTH})\.?"
    weekday = f"(?P<weekday>{'|'.join(_WEEKDAYS)})"
    for pattern in (
        rf"(?<!\d){year}[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?!\d)",
        rf"(?:{year}\s*[年년]\s*)?(?<!\d)(?P<month>\d{{1,2}})\s*[月월]\s*(?P<day>\d{{1,2}})\s*[日号號일]",
        rf"{year}\s*[年년]\s*(?P<month>\d{{1,2}})\s*[月월]",
        rf"\b{day} (?:of )?{month}(?:,? {year})?\b",
        rf"\b{month} {day},?(?: {year})?\b",
        rf"\b{month},? (?:of )?{year}\b",
        rf"\b(?:in|of|during|since|last|this|early|late|mid|by|until|for|and|or)[ -]{month}\b",
        r"(?<![\d年년])(?P<month>1[0-2]|[1-9])\s*[月월](?![\d曜요])",
    ):
        yield False, re.compile(pattern), _date
    for pattern, days_of in (
        (r"\bday before yesterday\b|一昨日|おととい|그저께|그제|엊그제|前天", _day(-2)),
        (r"\byesterday\b|\blast night\b|昨日|昨夜|昨晩|きのう|어제|어젯밤|昨天|昨晚", _day(-1)),
        (r"\b(?:today|this morning|this afternoon|tonight)\b|今日|きょう|今朝|오늘|今天|今早", _day(0)),
        (rf"(?:{_LAST_WEEK})の?\s?(?P<weekday>{_CJK_WEEKDAY})(?:曜|요일|(?!\w))?", _weekday_of_last_week),
        (r"先々週|지지난\s?주|上上(?:个|個)?(?:周|週|星期|礼拜|禮拜)", _week(-2)),
        (r"\blast weekend\b|\bover the weekend\b|先週末|지난\s?주말|上(?:个|個)?周末|上週末", _weekend),
        (rf"\blast week\b|\bprevious week\b|{_LAST_WEEK}", _week(-1)),
        (r"\bthis week\b|今週|이번\s?주|这(?:个|個)?周|這(?:個)?[周週]|本周|本週", _week(0)),
        (r"\blast month\b|先月|지난\s?달|저번\s?달|上(?:个|個)月", _month(-1)),
        (r"\bthis month\b|今月|이번\s?달|这个月|這個月|本月", _month(0)),
        (r"\blast year\b|去年|昨年|작년|지난\s?해", _year(-1)),
        (r"\bthis year\b|今年|올해", _year(0)),
        (r"一昨年|おととし|재작년|前年", _year(-2)),
        (rf"\b(?P<count>{_NUMBER}) (?P<unit>day|week|month|year)s? (?:ago|back|earlier)\b", _ago),
        (rf"(?P<count>{_NUMBER})\s?(?P<unit>日|週間|か月|ヶ月|カ月|ヵ月|年)前", _ago),
        (rf"(?P<count>{_NUMBER})\s?(?P<unit>일|주|달|개월|년)\s?전", _ago),
        (rf"(?P<count>{_NUMBER})\s?(?:个|個)?(?P<unit>天|周|週|星期|礼拜|禮拜|个月|個月|月|年)(?:之?前|以前)", _ago),
        (rf"\b(?:last|on|this past) {weekday}\b", _last_weekday),
    ):
        yield True, re.compile(pattern), days_of
    yield False, re.compile(rf"(?<!\d){year}(?!\d)"), _named_year


_RULES = list(_rules())
_HINT = re.compile(
    r"\d|day|night|morning|noon|week|month|year|ago|last|late|recent|back|while|[\u2e80-\uffff]"
    rf"|{'|'.join(_SHORT_MONTHS)}"
)
"""What a text has if it has words for a time at all, so that most are not searched for each of them."""
_VAGUE = re.compile(
    r"\b(?:the other day|a while (?:ago|back)|a few (?:days|weeks|months|years) (?:ago|back)|some time ago|long ago"
    r"|recently|lately|last time|last (?:spring|summer|autumn|fall|winter|christmas)|back then"
    r"|years ago|weeks ago|months ago|days ago)\b"
    r"|この前|こないだ|この間|最近|前に|昔|前回|ずっと前|저번에|지난번|요전|얼마 전|예전|옛날|최근|요즘"
    r"|上次|之前|以前|前几天|前幾天|前阵子|前陣子|很久以前"
)
