"""What stands beside the image says what is so."""

import base64
import hashlib
import hmac
import json
import shutil
import subprocess
import time
from fnmatch import fnmatch
from typing import Any

import pytest

from tests.image.dockerfile import ROOT

DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()

HAS_COMPOSE = (
    shutil.which("docker")
    and not subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode
)


def test_what_the_image_is_built_from_reaches_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = [line.removeprefix("!") for line in lines if line.startswith("!")]
    copied = [line.split()[-2] for line in DOCKERFILE.splitlines() if line.startswith("COPY") and "--from" not in line]

    assert "*" in lines
    for source in copied:
        assert any(fnmatch(source, pattern) or pattern.startswith(f"{source}/") for pattern in let_in), source


def test_nothing_but_the_server_is_published_and_only_to_this_machine() -> None:
    published = [line.strip() for line in COMPOSE.splitlines() if line.strip().startswith("- 127.0.0.1:")]

    assert COMPOSE.count("ports:") == 1
    assert published == ["- 127.0.0.1:${IDOLCHAT_PORT:-8000}:8000"]
    assert "IDOLCHAT_ALLOW_OPEN" not in COMPOSE + DOCKERFILE


@pytest.mark.skipif(not HAS_COMPOSE, reason="no docker compose here; lint checks the file against its schema")
@pytest.mark.parametrize("profiles", [(), ("--profile", "supabase")])
def test_compose_understands_its_file(profiles: tuple[str, ...]) -> None:
    command = ["docker", "compose", "--file", str(ROOT / "compose.yaml"), *profiles, "config", "--quiet"]

    assert subprocess.run(command, check=False).returncode == 0


def test_the_image_runs_as_a_user_without_rights() -> None:
    users = [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("USER")]

    assert users == ["10001:10001"]


@pytest.mark.parametrize(
    ("variable", "role"), [("SUPABASE_ANON_KEY", "anon"), ("SUPABASE_SERVICE_ROLE_KEY", "service_role")]
)
def test_the_keys_of_a_self_hosted_supabase_are_signed_with_its_secret(variable: str, role: str) -> None:
    script = ROOT / "docker" / "supabase" / "secrets.sh"
    said = subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout
    secrets = dict(line.split("=", 1) for line in said.splitlines())
    signed, _, signature = secrets[variable].rpartition(".")
    expected = hmac.digest(secrets["SUPABASE_JWT_SECRET"].encode(), signed.encode(), hashlib.sha256)

    assert decoded(signature) == expected
    claims: dict[str, Any] = json.loads(decoded(signed.partition(".")[2]))
    assert claims["role"] == role
    assert claims["iat"] <= time.time() < claims["exp"]


def decoded(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
