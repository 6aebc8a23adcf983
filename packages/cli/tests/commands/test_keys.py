"""API keys are made, listed and revoked, beside a server that runs."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

if TYPE_CHECKING:
    from conftest import Installation


@contextmanager
def serving(installation: Installation) -> Iterator[httpx.Client]:
    quiet = {"IDOLCHAT_API_LOG_LEVEL": "error", "IDOLCHAT_API_USER_REQUESTS_PER_MINUTE": "0"}  # it is asked very often
    with installation.start("serve", "--port", "0", IDOLCHAT_AUTH="api-key", **quiet) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[1]
        with httpx.Client(base_url=url, timeout=60) as client:
            yield client
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)


def status_with(client: httpx.Client, key: str) -> int:
    return client.get("/conversations", headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_key_works_at_once_and_a_revoked_one_not_for_long(installation: Installation) -> None:
    with serving(installation) as client:
        made = installation.run("keys", "create", "--name", "test", "--user", str(uuid4()), "--expires", "90d")
        key = made.stdout.strip()
        before = status_with(client, key)
        revoked = installation.run("keys", "revoke", key)
        until = time.monotonic() + 60
        while (after := status_with(client, key)) == 200 and time.monotonic() < until:
            pass

    assert (made.returncode, "shown only now" in made.stderr, revoked.returncode) == (0, True, 0)
    assert (before, after) == (200, 401)


def test_a_list_tells_all_but_the_key(installation: Installation) -> None:
    user = str(uuid4())
    made = json.loads(
        installation.run("keys", "create", "--json", "--user", user, "--scope", "read", "--scope", "chat").stdout
    )
    installation.run("keys", "revoke", made["id"])

    (listed,) = json.loads(installation.run("keys", "list", "--json").stdout)
    shown = installation.run("keys", "list").stdout

    assert listed["hint"] == made["key"][-4:]
    assert (listed["user_id"], listed["scopes"], listed["state"]) == (user, ["chat", "read"], "revoked")
    assert made["key"].split("_")[2] not in json.dumps(listed) + shown
    assert made["id"] in shown


def test_a_key_that_is_not_there_cannot_be_revoked(installation: Installation) -> None:
    done = installation.run("keys", "revoke", "aaaaaaaaaaaa", "../../etc", "--json")

    assert (done.returncode, json.loads(done.stdout)) == (1, {"revoked": [], "missing": ["aaaaaaaaaaaa", "../../etc"]})


@pytest.mark.parametrize("given", ["soon", "0d", "2020-01-01", "9999999d", "-1d", "9999-12-31T23:00-12:00"])
def test_a_key_does_not_end_before_it_begins(installation: Installation, given: str) -> None:
    done = installation.run("keys", "create", "--expires", given)

    assert (done.returncode, done.stdout) == (2, "")
    assert "--expires" in done.stderr
