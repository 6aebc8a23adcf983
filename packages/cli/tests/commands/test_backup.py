"""All that a storage holds goes into a backup, and comes back."""

from __future__ import annotations

import gzip
import json
import shutil
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from idolchat_core.storage.data_lock import locked_data_folder
from idolchat_core.testing import a_conversation

if TYPE_CHECKING:
    from conftest import Installation

LEDGER = b'{"n":1}\n{"n":2}\n'


@pytest.fixture
def filled(installation: Installation) -> Installation:
    """A storage with conversations, a key and a ledger."""
    installation.keep(a_conversation("one", "two"), a_conversation("three"))
    installation.run("keys", "create", "--name", "mine")
    installation.keep_record("ledger.log", "2026-11-29.00000000", LEDGER)
    return installation


def everything(installation: Installation) -> dict[str, bytes]:
    found = [*(installation.folder / "stored").rglob("*"), *(installation.folder / "records").rglob("*")]
    return {str(path.relative_to(installation.folder)): path.read_bytes() for path in found if path.is_file()}


def lose_everything(installation: Installation) -> None:
    for name in ("stored", "records"):
        shutil.rmtree(installation.folder / name)


def answer(installation: Installation, *arguments: str, status: int = 0) -> dict[str, Any]:
    done = installation.run(*arguments, "--json")
    assert done.returncode == status, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_what_was_lost_is_back_byte_for_byte(filled: Installation) -> None:
    before = everything(filled)
    written = answer(filled, "backup", "backup.tar.gz")
    lose_everything(filled)
    restored = answer(filled, "restore", "backup.tar.gz")

    assert (written["conversations"], written["logs"], written["damaged"]) == (2, 1, [])
    assert (restored["conversations"], restored["records"], restored["logs"]) == (2, written["records"], 1)
    assert everything(filled) == before
    assert filled.run("keys", "list").stdout.count("mine") == 1


def test_a_backup_goes_through_pipes_and_back(filled: Installation) -> None:
    before = everything(filled)
    filled.shell("idol backup - | cat > backup.tar.gz")
    lose_everything(filled)
    filled.shell("cat backup.tar.gz | idol restore -")

    assert everything(filled) == before
    assert not (filled.folder / "-").exists()


def test_standard_output_holds_a_backup_or_what_is_told_of_it(filled: Installation) -> None:
    done = filled.run("backup", "-", "--json")

    assert (done.returncode, done.stdout) == (2, "")
    assert "--json tells what was written to a file" in done.stderr


def test_a_backup_is_its_owner_s_alone_and_never_replaced_unasked(filled: Installation) -> None:
    filled.run("backup", "backup.tar.gz")
    again = filled.run("backup", "backup.tar.gz")

    assert stat.S_IMODE((filled.folder / "backup.tar.gz").stat().st_mode) == 0o600
    assert again.returncode == 2
    assert filled.run("backup", "backup.tar.gz", "--force").returncode == 0


def test_a_damaged_conversation_is_kept_as_it_is_and_told(installation: Installation) -> None:
    conversation_id = a_conversation().id
    damaged = installation.folder / "copies" / "conversations" / f"{conversation_id}.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b'{"torn')
    done = installation.run("backup", "backup.tar.gz", "--json", IDOLCHAT_STORAGE="copies")

    assert (done.returncode, json.loads(done.stdout)["damaged"]) == (1, [str(conversation_id)])
    with tarfile.open(installation.folder / "backup.tar.gz") as archive:
        kept = archive.extractfile(f"damaged/{conversation_id}")
        assert kept is not None
        assert kept.read() == b'{"torn'


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def end_early(path: Path) -> None:
    files = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(files[: files.index(b"SHA256SUMS") // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE]))


def change_a_byte(path: Path) -> None:
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b'"three"', b'"thr33"')))


def fill_with_text(path: Path) -> None:
    path.write_text("Not a backup.")


@pytest.mark.parametrize("harm", [cut_off, end_early, change_a_byte, fill_with_text])
def test_of_a_backup_that_is_not_whole_nothing_is_restored(filled: Installation, harm: Any) -> None:
    filled.run("backup", "backup.tar.gz")
    lose_everything(filled)
    harm(filled.folder / "backup.tar.gz")
    refused = filled.run("restore", "backup.tar.gz")

    assert refused.returncode == 1
    assert "backup.tar.gz" in refused.stderr
    assert not list((filled.folder / "stored").glob("*"))


def test_a_storage_that_holds_something_is_left_alone_unless_asked(filled: Installation) -> None:
    filled.run("backup", "backup.tar.gz")
    before = everything(filled)
    refused = filled.run("restore", "backup.tar.gz")
    restored = answer(filled, "restore", "backup.tar.gz", "--overwrite")

    assert refused.returncode == 2
    assert "the storage folder holds something already: name one that is empty, or give --overwrite" in refused.stderr
    assert restored["differing"] == []
    assert everything(filled) == before


def test_a_log_that_went_on_otherwise_is_left_and_told(filled: Installation) -> None:
    filled.run("backup", "backup.tar.gz")
    filled.keep_record("ledger.log", "2026-11-29.00000000", b'{"other":1}\n')
    restored = answer(filled, "restore", "backup.tar.gz", "--overwrite", status=1)

    assert restored["differing"] == ["logs/ledger/2026-11-29"]


def test_nothing_is_restored_under_a_running_server(filled: Installation) -> None:
    filled.run("backup", "backup.tar.gz")
    with locked_data_folder(filled.folder / "data"):
        refused = filled.run("restore", "backup.tar.gz", "--overwrite")

    assert refused.returncode == 2
    assert "a server runs" in refused.stderr
