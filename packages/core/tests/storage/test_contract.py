import pytest

from idolchat_core.storage.contract import check_record_name


@pytest.mark.parametrize("name", ["a", "turns", "0198.json", "a-b_c.d", "-", "_", "x" * 128])
def test_plain_names_are_record_names(name: str) -> None:
    check_record_name(name, name)


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "A", "a/b", "a\\b", "a b", "ä", "a\n", "a\0", "x" * 129])
def test_names_that_could_leave_the_store_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="no name for a record"):
        check_record_name("turns", name)
