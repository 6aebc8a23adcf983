"""People of a Supabase project sign in by e-mail and password, and their session is looked after."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from idolchat_auth_supabase.testing import ANON_KEY, Project, User
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import HELD, QUICK, Open
from tests.browser.desk import Desk
from tests.browser.project import project_beside
from tests.browser.test_sign_in import kept_in, sign_in
from tests.conftest import KEY
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    with project_beside() as project:
        yield project


@pytest.fixture(scope="module")
def served(start_shared_server: StartServer, mock_openrouter_process: Mock, project: Project) -> Server:
    return start_shared_server(
        OPENROUTER_API_KEY=KEY,
        OPENROUTER_BASE_URL=mock_openrouter_process.base_url,
        IDOLCHAT_MODEL=QUICK,
        IDOLCHAT_AUTH="supabase",
        SUPABASE_URL=project.url,
        SUPABASE_ANON_KEY=ANON_KEY,
        IDOLCHAT_SUPABASE_LEEWAY_S="0",
    )


@pytest.fixture
def aoi(project: Project) -> Iterator[User]:
    """Return somebody who may sign in; of the project, nothing else is left from the test before."""
    project.is_down, project.lifetime_s = False, 3600
    user = User(email=f"{uuid4()}@example.com", password="melon bread")
    project.users[:] = [user]
    project.grants.clear()
    project.end_sessions()
    yield user
    project.is_down = False


@pytest.fixture
def door(open_desk: Open, project: Project, aoi: User, mock_openrouter: Mock) -> Desk:
    return open_desk(beside=project.url).open()


def enter(desk: Desk, user: User, *, password: str | None = None, stays: bool = False) -> Desk:
    desk.page.get_by_label("E-mail").fill(user.email)
    desk.page.get_by_label("Password").fill(password or user.password)
    if stays:
        desk.page.get_by_label("Keep me signed in").check()
    desk.button("Sign in").click()
    return desk


def is_inside(desk: Desk) -> None:
    """Wait until the page has read all that it shows first: a renewal that a reload cuts off would end the session."""
    expect(desk.button("Let Lumi begin")).to_be_visible()
    expect(desk.page.locator(".avatar.large img")).to_be_visible()


def age(desk: Desk) -> None:
    """Make the token that is kept an hour older."""
    desk.page.evaluate(
        """() => {
            for (const place of [sessionStorage, localStorage]) {
                const kept = place.getItem("idolchat.token");
                if (kept) place.setItem("idolchat.token", JSON.stringify({ ...JSON.parse(kept), expiresAt: 0 }));
            }
        }"""
    )


def test_a_password_lets_in_and_the_session_stays_in_the_tab(door: Desk, served: Server, aoi: User) -> None:
    enter(door, aoi)
    expect(door.composer).to_be_visible()
    door.send("Hello!").answered()
    door.page.reload()

    expect(door.mine).to_have_count(1)
    assert json.loads(served.document(door.conversation_id).read_text())["user_id"] == aoi.id
    assert aoi.password not in kept_in(door, "sessionStorage")
    assert kept_in(door, "Object.keys(localStorage).filter((name) => name.includes('token'))") == "[]"
    assert "example.com" not in door.page.url


def test_a_token_shown_instead_lets_in_too(door: Desk, project: Project, aoi: User) -> None:
    door.button("Use a key instead").click()
    sign_in(door, project.token(sub=aoi.id))

    expect(door.composer).to_be_visible()


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"password": "other"}, "is not right"), ({"is_confirmed": False}, "is not confirmed yet")],
)
def test_what_the_project_refuses_is_said(door: Desk, aoi: User, changed: dict[str, Any], said: str) -> None:
    password = aoi.password
    for name, value in changed.items():
        setattr(aoi, name, value)
    enter(door, aoi, password=password)

    expect(door.page.get_by_role("alert")).to_contain_text(said)
    expect(door.page.get_by_label("E-mail")).to_have_value(aoi.email)
    assert kept_in(door, "sessionStorage") == "{}"


def test_a_project_that_cannot_be_reached_is_said_and_tried_again(door: Desk, project: Project, aoi: User) -> None:
    door.page.route(f"{project.url}/**", lambda route: route.abort())
    enter(door, aoi)
    expect(door.page.get_by_role("alert")).to_contain_text("cannot be reached")
    door.page.unroute(f"{project.url}/**")
    door.button("Sign in").click()

    expect(door.composer).to_be_visible()


def test_a_token_that_ends_soon_is_renewed_before_it_is_sent(door: Desk, project: Project, aoi: User) -> None:
    enter(door, aoi)
    is_inside(door)
    age(door)
    door.page.reload()

    expect(door.composer).to_be_visible()
    assert project.grants == ["password", "refresh_token"]


def test_a_token_that_the_server_refuses_is_renewed_once(door: Desk, project: Project, aoi: User) -> None:
    enter(door, aoi)
    is_inside(door)
    door.page.evaluate(
        """() => {
            const kept = JSON.parse(sessionStorage.getItem("idolchat.token"));
            sessionStorage.setItem("idolchat.token", JSON.stringify({ ...kept, accessToken: "no.longer.good" }));
        }"""
    )
    door.page.reload()

    expect(door.composer).to_be_visible()
    assert project.grants == ["password", "refresh_token"]


def test_a_reply_that_outlasts_the_token_goes_on(
    open_desk: Open, served: Server, project: Project, aoi: User, mock_openrouter: Mock
) -> None:
    project.lifetime_s = 3
    door = enter(open_desk(beside=project.url, model=HELD).open(), aoi)
    with door.page.expect_request(re.compile("/turns/[^/]+/stream")):  # the first stream ends with its token
        door.send("Hello!")
    mock_openrouter.release()

    expect(door.replies.last).to_contain_text("word63")
    door.answered()
    document = json.loads(served.document(door.conversation_id).read_text())
    assert [one["role"] for one in document["messages"] if one.get("origin") != "greeting"] == ["user", "assistant"]


def test_a_session_that_ended_elsewhere_leads_back_to_the_door(door: Desk, project: Project, aoi: User) -> None:
    enter(door, aoi)
    is_inside(door)
    project.end_sessions()
    age(door)
    door.page.reload()

    expect(door.page.get_by_role("alert")).to_contain_text("Your session has ended")
    assert kept_in(door, "sessionStorage") == "{}"
    enter(door, aoi)
    expect(door.composer).to_be_visible()


def test_windows_that_share_a_session_renew_it_one_after_the_other(door: Desk, project: Project, aoi: User) -> None:
    enter(door, aoi, stays=True)
    is_inside(door)
    other = door.second_window()
    is_inside(other)
    for _ in range(3):
        age(door)
        with door.page.expect_navigation(), other.page.expect_navigation():
            door.page.evaluate("location.reload()")
            other.page.evaluate("location.reload()")
        is_inside(door)
        is_inside(other)

    assert project.sessions == 1  # a refresh token that is used twice would have ended it


def test_signing_out_ends_the_session_at_the_project(door: Desk, project: Project, aoi: User) -> None:
    enter(door, aoi, stays=True)
    door.button("Settings").click()
    expect(door.page.get_by_role("dialog")).to_contain_text(aoi.email)
    door.button("Sign out").click()

    expect(door.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert project.sessions == 0
    assert kept_in(door, "sessionStorage") == "{}"
    assert kept_in(door, "localStorage.getItem('idolchat.token')") == "null"


def test_where_the_project_cannot_be_told_that_one_is_out_it_is_said(door: Desk, project: Project, aoi: User) -> None:
    enter(door, aoi)
    door.button("Settings").click()
    project.is_down = True
    door.button("Sign out").click()

    expect(door.page.get_by_role("alert")).to_contain_text("could not be told")
    assert aoi.email not in kept_in(door, "sessionStorage")


def test_axe_finds_nothing_at_the_door(door: Desk, axe: str) -> None:
    assert_accessible(door, axe)
