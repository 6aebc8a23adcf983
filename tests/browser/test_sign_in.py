"""Signing in by an API key."""

import json
import subprocess
import sys
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import QUICK, Open
from tests.browser.desk import Desk
from tests.conftest import KEY
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer

USER = str(uuid4())


@pytest.fixture(scope="module")
def served(start_shared_server: StartServer, mock_openrouter_process: Mock) -> Server:
    return start_shared_server(
        OPENROUTER_API_KEY=KEY,
        OPENROUTER_BASE_URL=mock_openrouter_process.base_url,
        IDOLCHAT_MODEL=QUICK,
        IDOLCHAT_AUTH="api-key",
    )


@pytest.fixture(scope="module")
def key(served: Server) -> str:
    """Return the key that most tests sign in with."""
    return new_key(served, USER)


def new_key(served: Server, user: str) -> str:
    """Make a user's key, as an operator does."""
    command = [sys.executable, "-m", "idolchat_cli", "keys", "create", "--user", user, "--json"]
    made = subprocess.run(command, env=served.full_environment(), cwd=served.folder, capture_output=True, check=True)
    return str(json.loads(made.stdout)["key"])


def sign_in(desk: Desk, token: str, *, stays: bool = False) -> Desk:
    desk.page.get_by_label("API key or access token").fill(token)
    if stays:
        desk.page.get_by_label("Keep me signed in").check()
    desk.button("Sign in").click()
    return desk


def kept_in(desk: Desk, where: str) -> str:
    return str(desk.page.evaluate(f"JSON.stringify({where})"))


def test_a_key_lets_in_and_stays_in_the_tab(open_desk: Open, key: str, mock_openrouter: Mock) -> None:
    desk = sign_in(open_desk().open(), key)
    expect(desk.composer).to_be_visible()
    desk.send("Hello!").answered()

    desk.page.reload()
    expect(desk.mine).to_have_count(1)
    assert key in kept_in(desk, "sessionStorage")
    assert key not in kept_in(desk, "localStorage")
    assert key not in desk.page.url


def test_another_tab_asks_again_unless_told_to_keep_it(open_desk: Open, key: str) -> None:
    desk = sign_in(open_desk().open(), key)
    expect(desk.composer).to_be_visible()
    other = desk.second_window()
    expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()

    sign_in(other, key, stays=True)

    expect(other.composer).to_be_visible()
    expect(desk.second_window().composer).to_be_visible()


def test_pictures_of_characters_are_shown_to_whoever_signed_in(open_desk: Open, key: str) -> None:
    desk = sign_in(open_desk().open(), key)

    desk.wait_until("document.querySelector('.avatar.large img')?.naturalWidth > 0")


def test_a_wrong_key_is_refused_and_not_kept(open_desk: Open) -> None:
    desk = sign_in(open_desk().open(), "nonsense")

    expect(desk.page.get_by_role("alert")).to_contain_text("not good")
    assert "nonsense" not in kept_in(desk, "sessionStorage")


def test_signing_out_leaves_nothing(open_desk: Open, key: str) -> None:
    desk = sign_in(open_desk().open(), key, stays=True)
    desk.send("A secret.").answered()
    desk.button("Settings").click()
    desk.button("Sign out").click()

    expect(desk.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert kept_in(desk, "sessionStorage") == "{}"
    assert key not in kept_in(desk, "localStorage")
    expect(desk.page.get_by_text("A secret.")).to_have_count(0)


def test_a_key_that_is_revoked_leads_back_to_the_door(open_desk: Open, key: str) -> None:
    desk = sign_in(open_desk().open(), key)
    expect(desk.composer).to_be_visible()
    desk.page.evaluate("sessionStorage.setItem('idolchat.token', 'no longer good')")
    desk.page.reload()

    expect(desk.page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(desk.page.get_by_role("alert")).to_contain_text("not good")


def test_somebody_elses_character_is_copied_to_be_changed(open_desk: Open, served: Server) -> None:
    desk = sign_in(open_desk().open(), new_key(served, str(uuid4())))
    expect(desk.page.get_by_role("heading", name="Lumi")).to_be_visible()
    expect(desk.page.get_by_role("link", name="Edit")).to_have_count(0)
    desk.open("#/character/lumi")
    desk.button("Make a copy").click()

    expect(desk.page.get_by_role("heading", name="Edit Lumi")).to_be_visible()
    expect(desk.page.get_by_label("Who may use her")).to_have_count(0)
    desk.page.get_by_label("Nickname").fill("Lulu")
    desk.button("Save").click()
    expect(desk.page.get_by_role("heading", name="Lulu")).to_be_visible()


def test_users_see_no_more_of_the_server_than_its_health(open_desk: Open, key: str) -> None:
    desk = sign_in(open_desk().open(), key)
    desk.send("Hello!").answered()
    panel = desk.look_inside("Server")

    expect(panel).to_contain_text("Health")
    expect(panel).not_to_contain_text("openrouter")
