from __future__ import annotations

import pytest

from idolchat_characters.lore.ecmascript import InvalidPattern, UnsupportedPattern
from idolchat_characters.lore.patterns import pattern_of


@pytest.mark.parametrize(
    ("source", "flags", "text", "matches"),
    [
        (r"a\sb", "", "a\u3000b", True),
        (r"a\sb", "", "a\vb", True),
        (r"^\S+$", "", "日本語", True),
        (r"^\S+$", "", "日\u3000本", False),
        (r"^[^\s]+$", "", "a\ufeffb", False),
        (r"^[\S]+$", "", "a\u2028b", False),
        (r"\W", "", "é", True),
        (r"\w", "", "é", False),
        (r"^.$", "", "\r", False),
        (r"^.$", "s", "\n", True),
        (r"^b", "", "a\nb", False),
        (r"^b", "m", "a\nb", True),
        (r"a$", "", "a\n", False),
        (r"b", "y", "ab", False),
        (r"a", "gy", "ab", True),
        (r"é", "i", "É", True),
        (r"\u65e5\x41\cJ", "", "日A\n", True),
        (r"\u{1F600}", "u", "😀", True),
        (r"\uD83D\uDE00", "", "😀", True),
        (r"\p{L}+!", "u", "é!", True),
        (r"\p{Script=Han}", "u", "日", True),
        (r"\q\_\-", "", "q_-", True),
        (r"a{,2}", "", "a{,2}", True),
        (r"a{2,3}?b", "", "aab", True),
        (r"}]", "", "}]", True),
        (r"[]", "", "a", False),
        (r"[^]", "", "\n", True),
        (r"[[:alpha:]]", "", ":]", True),
        (r"[\w-.]", "", "-", True),
        (r"[\b]", "", "\b", True),
        (r"(?<name>a)b", "", "ab", True),
        (r"a|", "", "", True),
        (r"\bcat\b", "", "a cat.", True),
        (r"\0", "", "\0", True),
    ],
)
def test_a_pattern_matches_as_in_ecmascript(source: str, flags: str, text: str, matches: bool) -> None:
    assert pattern_of(source, flags).found_in(text.encode()) is matches


@pytest.mark.parametrize(
    ("source", "flags"),
    [
        ("(", ""), (")", ""), ("[a", ""), ("*a", ""), ("a**", ""), ("a{2}{3}", ""), ("^*", ""), ("a{3,2}", ""),
        ("[b-a]", ""), ("a\\", ""), ("(?a)", ""), ("a", "ii"), ("}", "u"), (r"\q", "u"), (r"[\w-a]", "u"),
    ],
)  # fmt: skip
def test_a_pattern_that_ecmascript_refuses_is_invalid(source: str, flags: str) -> None:
    with pytest.raises(InvalidPattern):
        pattern_of(source, flags)


@pytest.mark.parametrize(
    "source",
    ["(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", r"(a)\1", r"(?<n>a)\k<n>", "a{5000}", "(?:a{1000}){1000}", "a" * 501],
)
def test_a_pattern_that_re2_refuses_is_unsupported(source: str) -> None:
    with pytest.raises(UnsupportedPattern):
        pattern_of(source, "")
