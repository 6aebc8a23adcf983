"""The proxies of the documentation let streams through as they are made, and the service file is one."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from idolchat_core.testing import reserve_port
from tests.conftest import KEY
from tests.support.mock_openrouter.fixture import Mock
from tests.support.pages import blocks
from tests.support.server import Server
from tests.support.starting import StartServer

PAGE = "docs/how-to/reverse-proxy.md"
NGINX, CADDY, SYSTEMD = (shutil.which(name) for name in ("nginx", "caddy", "systemd-analyze"))
PATIENCE_S = 60
SLOW = "mock/n8-xstall-s600"
"""Says a few words, and rests: a proxy that collects a reply would show none of them until then."""


def shown(language: str) -> str:
    (block,) = blocks(PAGE, language)
    return block.text


@pytest.fixture(scope="module")
def served(start_shared_server: StartServer, mock_openrouter_process: Mock) -> Server:
    return start_shared_server(OPENROUTER_API_KEY=KEY, OPENROUTER_BASE_URL=mock_openrouter_process.base_url)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate and its key, both in one file."""
    file = tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([*command, "-keyout", file, "-out", tmp_path / "c.pem"], check=True, capture_output=True)
    file.write_text(file.read_text() + (tmp_path / "c.pem").read_text())
    return file


@pytest.fixture
def nginx(served: Server, certificate: Path, tmp_path: Path) -> Iterator[str]:
    """Run nginx with the lines of the page, but for where the server, the certificate and itself are."""
    if NGINX is None:
        pytest.skip("no nginx here")
    port = reserve_port()
    site = shown("nginx").replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    site = site.replace("http://127.0.0.1:8000", served.url).replace("$host;", "$proxy_host;")
    for name in ("fullchain", "privkey"):
        site = site.replace(f"/etc/letsencrypt/live/chat.example.com/{name}.pem", str(certificate))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {tmp_path}/{kind}; " for kind in kinds)
    head = f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}"
    (tmp_path / "nginx.conf").write_text(f"{head}\nhttp {{ access_log off; {places}\n{site}\n}}\n")
    command = [NGINX, "-p", str(tmp_path), "-c", "nginx.conf"]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    yield from running(command, port, "https")


@pytest.fixture
def caddy(served: Server, tmp_path: Path) -> Iterator[str]:
    """Run Caddy with the lines of the page, but for where the server and itself are."""
    if CADDY is None:
        pytest.skip("no Caddy here")
    port = reserve_port()
    check = [CADDY, "validate", "--adapter", "caddyfile", "--config"]
    (tmp_path / "page").write_text(shown("caddyfile"))
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin"}
    subprocess.run([*check, str(tmp_path / "page")], env=env, check=True, capture_output=True)
    site = shown("caddyfile").replace("chat.example.com", f"http://127.0.0.1:{port}")
    site = site.replace("127.0.0.1:8000", served.url.removeprefix("http://"))
    (tmp_path / "Caddyfile").write_text(f"{{\n admin off\n}}\n{site}")
    yield from running([CADDY, "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")], port, "http")


def running(command: list[str], port: int, scheme: str) -> Iterator[str]:
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        url = f"{scheme}://127.0.0.1:{port}"
        client = httpx.Client(transport=httpx.HTTPTransport(retries=8, verify=False))
        with client:
            client.get(f"{url}/livez")
        yield url
        process.terminate()


@pytest.fixture(params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


def test_a_proxy_of_the_page_shows_words_before_the_reply_is_whole(proxy: str) -> None:
    body = {"model": SLOW, "messages": [{"role": "user", "content": "Take your time."}]}
    client = httpx.Client(verify=False, timeout=PATIENCE_S)  # noqa: S501  our own certificate
    with client, client.stream("POST", f"{proxy}/chat/stream", json=body) as reply:
        words = list(take(reply.iter_lines(), until='"content"'))

    assert words[-1].startswith("data: ")


def take(lines: Iterator[str], *, until: str) -> Iterator[str]:
    for line in lines:
        yield line
        if until in line:
            return


def test_a_socket_is_let_through(proxy: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    secure = context if proxy.startswith("https") else None
    with connect(f"{proxy.replace('http', 'ws', 1)}/ws/chat", ssl=secure) as socket_:
        socket_.send('{"type": "ping"}')

        assert socket_.recv(timeout=PATIENCE_S) == '{"type":"pong"}'


@pytest.mark.skipif(SYSTEMD is None, reason="no systemd-analyze here")
def test_the_service_file_is_one(tmp_path: Path) -> None:
    (block,) = blocks("docs/how-to/systemd.md", "ini")
    folder = tmp_path / "checkout"
    program = folder / ".venv" / "bin" / "idol"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "idolchat.service"
    unit.write_text(block.text.replace("/srv/idolchat/checkout", str(folder)).replace("User=idolchat", "User=root"))
    done = subprocess.run(
        [str(SYSTEMD), "verify", "--man=no", unit], check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )

    assert (done.returncode, [line for line in done.stderr.splitlines() if "idolchat" in line]) == (0, [])
