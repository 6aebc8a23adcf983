"""The server starts and stops as people expect of a command."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation


def url_of(server: subprocess.Popen[str]) -> str:
    """Read what the server prints up to its address, and wait until it answers there."""
    assert server.stdout is not None
    first = server.stdout.readline()
    address = re.search(r"http://\S+", first)
    assert address, (first, server.communicate())
    with urllib.request.urlopen(f"{address[0]}/livez"):  # noqa: S310
        return address[0]


def ended(server: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
    """Send a signal and give what it still printed and logged to its end."""
    server.send_signal(number)
    assert server.stdout is not None
    assert server.stderr is not None
    return server.stdout.read(), server.stderr.read()


def test_it_prints_where_and_with_what_it_serves(installation: Installation) -> None:
    with installation.start("serve", "--port", "0") as server:
        url = url_of(server)
        with urllib.request.urlopen(f"{url}/health") as answer:  # noqa: S310
            health = json.load(answer)
        printed, _ = ended(server, signal.SIGINT)

    assert health["status"] == "ok"
    assert f"data folder  {installation.folder / 'data'}" in printed
    assert "storage      folder" in printed
    assert "model        test/quiet (scripted)" in printed


@pytest.mark.parametrize(("auth", "is_named"), [("none", True), ("api-key", False)])
def test_it_names_a_reference_only_where_there_is_one(installation: Installation, auth: str, is_named: bool) -> None:
    with installation.start("serve", "--port", "0", IDOLCHAT_AUTH=auth) as server:
        url = url_of(server)
        printed, _ = ended(server, signal.SIGINT)

    assert (f"reference    {url}/docs" in printed) is is_named


def test_a_setting_that_nothing_reads_is_told_at_the_start(installation: Installation) -> None:
    with installation.start("serve", "--port", "0", IDOLCHAT_MEMORY="on", IDOLCHAT_MODLE="x") as server:
        url_of(server)
        _, logged = ended(server, signal.SIGINT)

    told = [line for line in logged.splitlines() if line.startswith("Warning: ")]
    assert [line.split(" (")[0] for line in told] == ["Warning: IDOLCHAT_MEMORY", "Warning: IDOLCHAT_MODLE"]
    assert told[1].endswith("did you mean IDOLCHAT_MODEL?")


def test_ctrl_c_ends_it_quietly(installation: Installation) -> None:
    with installation.start("serve", IDOLCHAT_PORT="0") as server:
        url_of(server)
        _, logged = ended(server, signal.SIGINT)

    assert server.returncode == 0
    assert "Traceback" not in logged
    assert "KeyboardInterrupt" not in logged


def test_options_go_before_variables(installation: Installation) -> None:
    with installation.start("serve", "--host", "localhost", "--port", "0", IDOLCHAT_HOST="192.0.2.1") as server:
        url = url_of(server)
        ended(server, signal.SIGTERM)

    assert url.startswith("http://localhost:")


def test_a_port_that_is_taken_is_one_message(installation: Installation) -> None:
    with installation.start("serve", "--port", "0") as server:
        port = url_of(server).rpartition(":")[2]
        other = installation.run("serve", "--port", port, IDOLCHAT_DATA_DIR="elsewhere")
        ended(server, signal.SIGINT)

    assert other.returncode == 1
    assert f"port {port}" in other.stderr
    assert "Traceback" not in other.stderr


def test_without_the_server_package_it_says_what_to_install(installation: Installation) -> None:
    absent = "raise ModuleNotFoundError(\"No module named 'idolchat_api'\", name='idolchat_api')\n"
    (installation.site / "idolchat_api.py").write_text(absent)
    done = installation.execute("serve")  # what others are forked from has imported the server

    assert done.returncode == 1
    assert done.stderr == "Error: the server is not installed: pip install 'idolchat-cli[serve]'\n"
