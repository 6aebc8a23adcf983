"""No name that comes from outside leads to a file (CVE-2026-34524, CVE-2026-44650, GHSA-qrm5-r67f-6692).

Every route of the running server with an id in its path, every id in a body or query, and what is imported.
"""

import io
import json
import re
import tarfile
import zipfile
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx
import pytest

from tests.support.idol import idol_json
from tests.support.server import Server

CANARY = "canary of a file that nobody may read"
SECRET = "00000000-0000-4000-8000-000000000000"
UP = "../" * 8
NAMES = [
    f"../{SECRET}", f"../../{SECRET}", f"../../../secret/{SECRET}", f"/../{SECRET}.json", f"..\\..\\secret\\{SECRET}",
    f"{UP}etc/passwd", "/etc/passwd", f"{SECRET}\0", f"{SECRET}\0.json", f"{SECRET}/../x", f"{SECRET}/", f"./{SECRET}",
    "..", ".", "\0", "CON", "nul.json", "~root", "$HOME", "..;/x", "\uff0e\uff0e\uff0fx", "x" * 5000, "-1", "*", " ",
]  # fmt: skip
ENCODED = [
    "..%2f..%2fx",
    "%2e%2e/%2e%2e/x",
    "%252e%252e%252fx",
    "..%5c..%5cx",
    "%c0%ae%c0%ae%c0%afx",
    "%ff",
    "..%u2216x",
]
PARAMETER = re.compile(r"{\w+}")


@pytest.fixture
def server(server: Server) -> Server:
    """Put a conversation beside the data folder, and one in it that stands under the wrong name."""
    document = json.dumps({"id": SECRET, "created_at": "2026-01-01T00:00:00Z", "user_id": None, "character_id": None,
                           "messages": [{"role": "user", "content": CANARY}]})  # fmt: skip
    for folder in (server.folder, server.folder / "secret", server.data):
        folder.mkdir(exist_ok=True)
        (folder / f"{SECRET}.json").write_text(document)
    return server


def files_of(server: Server) -> dict[Path, bytes]:
    """Return all there is beside the server's data and log, and what was laid among its data."""
    laid = server.data / f"{SECRET}.json"
    found = (path for path in server.folder.rglob("*") if path.is_file() and path != server.log)
    return {path: path.read_bytes() for path in found if path == laid or not path.is_relative_to(server.data)}


def asked(server: Server, method: str, path: str) -> tuple[int, str]:
    """Ask for a path just as it is; a client of more sense would tidy it."""
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        body = json.dumps({"messages": [{"role": "user", "content": "Hi"}]}) if method in ("POST", "PATCH") else None
        connection.putrequest(method, "/", skip_accept_encoding=True)
        connection._buffer[0] = f"{method} {path} HTTP/1.1".encode()  # type: ignore[attr-defined]  # noqa: SLF001
        connection.putheader("content-type", "application/json")
        connection.putheader("content-length", str(len(body or "")))
        connection.endheaders(body.encode() if body else None)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def with_ids(path: str, name: str) -> str:
    return "".join(f"{before}{name}" for before in PARAMETER.split(path)[:-1]) + PARAMETER.split(path)[-1]


def test_no_id_in_a_path_leads_to_a_file(server: Server) -> None:
    before = files_of(server)
    document = httpx.get(f"{server.url}/openapi.json").json()
    routes = [
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if PARAMETER.search(path)
    ]
    made = httpx.post(f"{server.url}/chat", json={"messages": [{"role": "user", "content": "Hi"}]}).json()
    own = [(method, path.replace("{conversation_id}", made["conversation_id"])) for method, path in routes]
    assert len(routes) >= 10
    for method, path in [*routes, *(one for one in own if PARAMETER.search(one[1]))]:
        for name in [*(quote(name, safe="") for name in NAMES), *(quote(name, safe="/.") for name in NAMES), *ENCODED]:
            status, said = asked(server, method, with_ids(path, name))
            assert 400 <= status < 500, (method, path, name, said)
            assert CANARY not in said

    assert files_of(server) == before


def test_no_id_in_a_request_leads_to_a_file(server: Server) -> None:
    before = files_of(server)
    message = {"messages": [{"role": "user", "content": "Hi"}]}
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for name in NAMES:
            for field in ("conversation_id", "user_id", "character_id"):
                assert client.post("/chat", json={**message, field: name}).status_code == 422, (field, name)
            for field in ("user_id", "character_id", "before"):
                reply = client.get("/conversations", params={field: name})
                assert reply.status_code in (200, 422), (field, name)
                assert CANARY not in reply.text
            key = json.dumps(name) if name.isprintable() and name.isascii() and len(name) < 255 else '"k"'
            assert client.post("/chat", json=message, headers={"Idempotency-Key": key}).status_code == 200

    assert files_of(server) == before


@pytest.mark.parametrize("kind", ["zip", "tar", "jsonl"])
def test_nothing_that_is_imported_leads_to_a_file(server: Server, tmp_path: Path, kind: str) -> None:
    """Names of members and ids in documents; a link in an archive is not followed."""
    before = files_of(server)
    names = [name for name in NAMES if len(name) < 255]
    documents = [named(name, number) for number, name in enumerate(names)]
    source = tmp_path / f"hostile.{kind}"
    if kind == "jsonl":
        source.write_text("\n".join(map(json.dumps, documents)))
    else:
        pack(source, [(f"{name}.json", json.dumps(one).encode()) for name, one in zip(names, documents, strict=True)])

    result = idol_json(server.folder, "conversations", "import", str(source), status=1)
    listed = idol_json(server.folder, "conversations", "list", "--limit", "100")

    assert (result["created"], files_of(server)) == (0, before)
    assert CANARY not in json.dumps(listed)


def named(name: str, number: int) -> dict[str, Any]:
    """Make a document with such an id."""
    message = {"id": str(UUID(int=number + 1)), "role": "user", "content": "Hi", "timestamp": "2026-01-01T00:00:00Z"}
    return {"id": name, "created_at": "2026-01-01T00:00:00Z", "user_id": None, "messages": [message]}


def pack(path: Path, members: list[tuple[str, bytes]]) -> None:
    """Write an archive; a tar begins with a link out of it."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members:
                archive.writestr(name.replace("\0", "%00"), data)
        return
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo("link.json")
        link.type, link.linkname = tarfile.SYMTYPE, f"../secret/{SECRET}.json"
        tar.addfile(link)
        for name, data in members:
            about = tarfile.TarInfo(name.replace("\0", "%00"))
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
