"""The page and its files, as they are served."""

import gzip
import re
from pathlib import Path

import httpx
import pytest

import idolchat_web

STATIC = Path(idolchat_web.__file__).parent / "static"
FIRST_PAINT_BYTES = 220_000


def loaded_at_once(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page)


async def test_the_start_page_is_shown_with_all_that_it_loads(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    loaded = loaded_at_once(page.text)

    assert page.headers["content-type"].startswith("text/html")
    assert {Path(path).suffix for path in loaded} == {".js", ".css"}
    assert [(await client.get(f"/{path}")).status_code for path in loaded] == [200] * len(loaded)


async def test_it_may_load_from_this_server_alone(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_no_script_and_no_style_stands_in_the_page() -> None:
    page = (STATIC / "index.html").read_text()

    assert re.findall(r"<script(?![^>]*src=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []


def test_files_are_named_beside_the_page_so_that_it_may_stand_under_any_path() -> None:
    page = (STATIC / "index.html").read_text()

    assert re.findall(r'(?:src|href)="(?!\./)([^"]*)"', page) == []


def test_what_is_loaded_before_the_first_paint_is_small() -> None:
    page = (STATIC / "index.html").read_text()
    scripts = [path for path in loaded_at_once(page) if path.endswith(".js")]

    assert sum(len(gzip.compress((STATIC / path).read_bytes(), 6)) for path in scripts) < FIRST_PAINT_BYTES


async def test_what_others_have_at_their_path_stays_theirs(client: httpx.AsyncClient) -> None:
    assert (await client.get("/conversations")).json()["data"] == []
    assert (await client.get("/docs")).status_code == 200


@pytest.mark.parametrize("path", ["/assets/nothing.js", "/../plugin.py", "/%2e%2e/plugin.py", "/assets/"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404
