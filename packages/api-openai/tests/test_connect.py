"""The real `idol connect`: what it prints is what the server takes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from idolchat_core.storage.data_lock import locked_data_folder
from idolchat_core.storage.server_address import announced

IDOL = Path(sys.executable).with_name("idol")
CLIENTS = ["sillytavern", "open-webui", "librechat", "risuai", "openai", "ai-sdk", "langchain"]

type Idol = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def idol(tmp_path: Path) -> Idol:
    """Runs `idol` in a folder where nothing is configured but what is given."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "IDOLCHAT_PLUGINS": "api-openai,storage-local"}
        return subprocess.run(
            [str(IDOL), *arguments],
            cwd=tmp_path,
            env=env | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_is_told_address_key_and_model(idol: Idol, client: str) -> None:
    told = answer(idol("connect", client, "--json", "--model", "mika", IDOLCHAT_PORT="8123"))

    assert told["base_url"] == "http://127.0.0.1:8123/v1"
    assert told["api_key"] == "none"
    assert all(part in told["guide"] for part in ("http://127.0.0.1:8123/v1", "none", "mika"))


def test_the_address_is_that_of_the_server_that_runs_on_the_data_folder(idol: Idol, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with locked_data_folder(folder), announced(folder, "http://127.0.0.1:8124"):
        told = answer(idol("connect", "openai", "--json", IDOLCHAT_API_ROOT_PATH="/idol"))

    assert told["base_url"] == "http://127.0.0.1:8124/idol/v1"


def test_a_key_is_made_where_the_server_asks_for_keys(idol: Idol) -> None:
    told = answer(idol("connect", "open-webui", "--json", IDOLCHAT_AUTH="api-key"))
    (kept,) = answer(idol("keys", "list", "--json"))

    assert told["api_key"].startswith(f"idol_{kept['id']}_")
    assert kept["scopes"] == ["chat"]
    assert kept["user_id"] is None


def test_no_key_is_made_where_the_server_takes_none(idol: Idol) -> None:
    login = {"IDOLCHAT_AUTH": "supabase", "SUPABASE_URL": "https://abcdefghijklmnop.supabase.co"}
    refused = idol("connect", "openai", **login)
    told = answer(idol("connect", "openai", "--json", "--key", "a-token", **login))

    assert refused.returncode == 2
    assert "--key" in refused.stderr
    assert answer(idol("keys", "list", "--json")) == []
    assert told["api_key"] == "a-token"


def test_a_prefix_and_an_address_of_ones_own_are_told(idol: Idol) -> None:
    under = answer(idol("connect", "openai", "--json", IDOLCHAT_API_ROOT_PATH="/idol"))
    elsewhere = answer(idol("connect", "openai", "--json", "--url", "https://idol.example/v1/"))

    assert under["base_url"].endswith("/idol/v1")
    assert elsewhere["base_url"] == "https://idol.example/v1"


def test_what_people_see_can_be_pasted(idol: Idol) -> None:
    shown = idol("connect", "sillytavern")

    assert shown.returncode == 0
    assert 'X-Idolchat-Generation: "{{lastGenerationType}}"' in shown.stdout
    assert shown.stdout.count("{{pick::0::1") == 16
