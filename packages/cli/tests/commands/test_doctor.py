"""The doctor finds what is wrong, and says how to mend it."""

from __future__ import annotations

import json
import socket
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

from idolchat_core.storage.data_lock import locked_data_folder
from idolchat_core.storage.server_address import announced

if TYPE_CHECKING:
    from conftest import Installation


def diagnosed(installation: Installation, **env: str) -> tuple[int, dict[str, Any]]:
    """Return the exit status and the report of a run."""
    done = installation.run("doctor", "--json", **env)
    assert not done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, report


def found(report: dict[str, Any], check: str) -> list[tuple[str, str, str | None]]:
    """Give status, message and mend of each finding of a check."""
    return [(line["status"], line["message"], line["mend"]) for line in report["checks"] if line["check"] == check]


def test_all_is_well(installation: Installation) -> None:
    status, report = diagnosed(installation)

    assert status == 0
    assert report["status"] == "ok"
    assert {line["status"] for line in report["checks"]} == {"ok"}
    assert [line["check"] for line in report["checks"]] == [
        "python", "plugin", "data folder", "free space", "storage", "provider", "model", "server", "variables",
    ]  # fmt: skip


def test_the_report_has_a_stable_shape(installation: Installation) -> None:
    _, report = diagnosed(installation)

    assert list(report) == ["status", "version", "checks"]
    assert all(list(line) == ["check", "status", "message", "mend"] for line in report["checks"])


def test_people_see_a_line_for_each_check_and_a_sum(installation: Installation) -> None:
    done = installation.run("doctor", IDOLCHAT_MODEL="test/loud")

    assert done.returncode == 0
    assert "ok    model        test/loud, reads 4,096 tokens\n" in done.stdout
    assert done.stdout.endswith("\nno problems, no warnings\n")


@pytest.mark.parametrize(
    ("variable", "mend"),
    [
        ("IDOLCHAT_STROAGE", "did you mean IDOLCHAT_STORAGE?"),
        ("SYSTEM_PROMT", "did you mean SYSTEM_PROMPT?"),
        ("IDOLCHAT_COLOUR", "correct or remove it"),
    ],
)
def test_a_variable_that_nothing_reads_is_a_warning(installation: Installation, variable: str, mend: str) -> None:
    status, report = diagnosed(installation, **{variable: "x"})
    message = f"{variable} (environment) is read by nothing"

    assert (status, report["status"]) == (0, "warn")
    assert [(s, m[: len(message)], how) for s, m, how in found(report, "variables")[1:]] == [("warn", message, mend)]


@pytest.mark.parametrize("is_installed", [False, True])
@pytest.mark.parametrize(
    ("variable", "distribution"),
    [("SUPABASE_URL", "idolchat-storage-supabase"), ("IDOLCHAT_MEMORY", "idolchat-memory")],
)
def test_a_setting_of_a_package_that_is_not_loaded_says_how_to_load_it(
    installation: Installation, variable: str, distribution: str, is_installed: bool
) -> None:
    if is_installed:
        installation.install(distribution, "1.0.0")
    is_there = is_installed or any(metadata.distributions(name=distribution))
    _, report = diagnosed(installation, **{variable: "x"})
    add = f"add {distribution.removeprefix('idolchat-')} to IDOLCHAT_PLUGINS"

    assert found(report, "variables")[1:] == [
        (
            "warn",
            f"{variable} (environment) is read by nothing that is loaded",
            add if is_there else f"pip install {distribution}",
        )
    ]


def test_settings_in_dotenv_are_told_by_name_alone(installation: Installation) -> None:
    (installation.folder / ".env").write_text("idolchat_model=test/loud\nIDOLCHAT_MODLE=other\n")
    _, report = diagnosed(installation)
    told, unknown = found(report, "variables")

    assert "IDOLCHAT_MODEL (.env)" in told[1]
    assert "test/loud" not in told[1]
    assert unknown == ("warn", "IDOLCHAT_MODLE (.env) is read by nothing", "did you mean IDOLCHAT_MODEL?")


def test_settings_of_a_plugin_are_known(installation: Installation) -> None:
    _, report = diagnosed(installation, IDOL_TEST_STORAGE_FAULT="none")

    assert "IDOL_TEST_STORAGE_FAULT (environment)" in found(report, "variables")[0][1]


def test_a_wrong_setting_is_a_problem(installation: Installation) -> None:
    status, report = diagnosed(installation, IDOLCHAT_CONTEXT_LENGTH="12")

    assert status == 1
    assert found(report, "settings")[0][0] == "fail"
    assert "IDOLCHAT_CONTEXT_LENGTH" in found(report, "settings")[0][1]


@pytest.mark.parametrize(
    ("env", "check", "message"),
    [
        ({"IDOL_TEST_STORAGE_FAULT": "open"}, "storage", "the folder 'stored' cannot be read"),
        ({"IDOL_TEST_STORAGE_FAULT": "write"}, "storage", "the disk is full; make room in the folder 'stored'"),
        ({"IDOLCHAT_STORAGE": "cloud"}, "storage", "IDOLCHAT_STORAGE names 'cloud'; installed: folder"),
        ({"IDOL_TEST_PROVIDER_FAULT": "<wrong key>"}, "provider", "the provider \x1b[2Jrefuses the key"),
        ({"IDOLCHAT_LLM": "oracle"}, "provider", "IDOLCHAT_LLM names 'oracle'; installed: scripted"),
        (
            {"IDOLCHAT_PLUGINS": "test-parts,absent"},
            "plugin",
            "IDOLCHAT_PLUGINS names 'absent', which is not installed",
        ),
    ],
)
def test_a_part_that_does_not_work_is_a_problem(
    installation: Installation, env: dict[str, str], check: str, message: str
) -> None:
    status, report = diagnosed(installation, **env)

    assert (status, report["status"]) == (1, "fail")
    assert message in [line[1][: len(message)] for line in found(report, check) if line[0] == "fail"]


def test_one_problem_hides_no_other(installation: Installation) -> None:
    _, report = diagnosed(installation, IDOL_TEST_STORAGE_FAULT="open", IDOL_TEST_PROVIDER_FAULT="<wrong key>")

    assert [line["check"] for line in report["checks"] if line["status"] == "fail"] == ["storage", "provider"]


def test_a_model_that_is_not_listed_is_a_warning(installation: Installation) -> None:
    status, report = diagnosed(installation, IDOLCHAT_MODEL="test/quite")

    assert status == 0
    assert found(report, "model") == [
        (
            "warn",
            "test/quite is not among those that the provider lists",
            "set IDOLCHAT_MODEL to one of the 3 listed, such as test/quiet, test/loud",
        )
    ]


def test_a_plugin_that_cannot_be_imported_is_a_problem(installation: Installation) -> None:
    (installation.folder / "site" / "broken_plugin.py").write_text("import no_such_module\n")
    installation.install("idol-broken", "0.9", broken="broken_plugin")
    status, report = diagnosed(installation, IDOLCHAT_PLUGINS="broken,test-parts")
    broken = found(report, "plugin")[0]

    assert (status, broken[0]) == (1, "fail")
    assert "idol-broken 0.9" in broken[1]
    assert "no_such_module" in broken[1]
    assert broken[2] == "update or uninstall idol-broken"


def test_a_data_folder_that_is_a_file_is_a_problem(installation: Installation) -> None:
    (installation.folder / "data").write_text("")
    status, report = diagnosed(installation)

    assert status == 1
    assert found(report, "data folder")[0][1] == f"{installation.folder / 'data'} is not a folder"


def test_a_data_folder_open_to_all_is_a_warning(installation: Installation) -> None:
    folder = installation.folder / "kept"
    folder.mkdir()
    folder.chmod(0o755)
    status, report = diagnosed(installation, IDOLCHAT_DATA_DIR="kept")

    assert status == 0
    assert found(report, "data folder")[0][::2] == ("warn", f"chmod o-rwx {folder}")


def test_a_key_that_everybody_can_read_is_a_warning(installation: Installation) -> None:
    dotenv = installation.folder / ".env"
    dotenv.write_text("OPENROUTER_API_KEY=sk-very-secret\n")
    dotenv.chmod(0o644)
    done = installation.run("doctor", "--json")

    assert found(json.loads(done.stdout), ".env")[0][::2] == ("warn", f"chmod 600 {dotenv}")
    assert "very-secret" not in done.stdout


def test_a_dotenv_that_is_not_text_is_a_problem(installation: Installation) -> None:
    (installation.folder / ".env").write_bytes(b"IDOLCHAT_MODEL=\xff")
    status, report = diagnosed(installation)

    assert status == 1
    assert [line["status"] for line in report["checks"]] == ["ok", "fail"]
    assert "UTF-8" in report["checks"][1]["message"]


CHECKING = """
from idolchat_core import hookimpl
from idolchat_cli.checks.result import warn

async def look():
    return [warn("bucket", "the bucket is public", "make it private")]

async def stumble():
    raise RuntimeError("no \\033[2J bucket")

@hookimpl(optionalhook=True)
def idolchat_register_checks(registry):
    registry.add("bucket", "checking:look")
    registry.add("fault", "checking:stumble")
"""


def test_plugins_have_checks_of_their_own(installation: Installation) -> None:
    installation.install("idol-checking", "1.0.0", checking="checking")
    (installation.site / "checking.py").write_text(CHECKING)
    status, report = diagnosed(installation, IDOLCHAT_PLUGINS="test-parts,checking")

    assert (status, report["status"]) == (1, "fail")
    assert found(report, "bucket") == [("warn", "the bucket is public", "make it private")]
    assert found(report, "fault")[0][:2] == ("fail", "unexpected RuntimeError: no \x1b[2J bucket")


def test_a_login_that_is_not_installed_is_found(installation: Installation) -> None:
    status, report = diagnosed(installation, IDOLCHAT_AUTH="ldap")

    assert status == 1
    [(how, message, _)] = found(report, "server")
    assert how == "fail"
    assert "ldap" in message


def test_a_port_that_is_taken_is_found(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        status, report = diagnosed(installation, IDOLCHAT_PORT=port)

    assert status == 1
    [(how, message, _)] = found(report, "server")
    assert how == "fail"
    assert port in message


def test_a_server_of_its_own_is_no_stranger_on_the_port(installation: Installation) -> None:
    folder = installation.folder / "data"
    with locked_data_folder(folder), announced(folder, "http://127.0.0.1:8123"):
        _, report = diagnosed(installation)

    assert found(report, "server") == [("ok", "a server runs on this data folder: http://127.0.0.1:8123", None)]


def test_a_server_that_does_not_tell_where_it_is_is_a_warning(installation: Installation) -> None:
    with locked_data_folder(installation.folder / "data"):
        _, report = diagnosed(installation)

    [(how, message, _)] = found(report, "server")
    assert how == "warn"
    assert "does not tell this user where" in message


def test_a_line_of_dotenv_that_cannot_be_read_is_told_once(installation: Installation) -> None:
    (installation.folder / ".env").write_text("IDOLCHAT_MODEL test/loud\n")
    status, report = diagnosed(installation)

    assert status == 1
    assert [line["message"] for line in report["checks"] if "line 1" in line["message"]] == [
        ".env, line 1 cannot be read: write NAME=value, with quotes around a value that holds quotes or line breaks"
    ]


@pytest.mark.parametrize("folder", ["/proc/idol", "x" * 300])
def test_a_data_folder_that_cannot_be_made_is_found(installation: Installation, folder: str) -> None:
    status, report = diagnosed(installation, IDOLCHAT_DATA_DIR=folder)

    assert status == 1
    assert found(report, "data folder")[0][0] == "fail"


def test_looking_makes_no_data_folder(installation: Installation) -> None:
    diagnosed(installation, IDOLCHAT_DATA_DIR="some/where")

    assert not (installation.folder / "some").exists()


def test_a_model_whose_length_nobody_tells_is_a_warning_that_names_the_setting(installation: Installation) -> None:
    _, assumed = diagnosed(installation, IDOLCHAT_MODEL="test/unmeasured")
    _, told = diagnosed(installation, IDOLCHAT_MODEL="test/unmeasured", IDOLCHAT_CONTEXT_LENGTH="4096")

    [(status, message, mend)] = found(assumed, "model")
    assert (status, "8,192 tokens are assumed" in message) == ("warn", True)
    assert mend is not None
    assert "OLLAMA_CONTEXT_LENGTH" in mend
    assert found(told, "model")[0][0] == "ok"
