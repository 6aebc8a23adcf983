"""Several servers on one PostgreSQL, behind nginx."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from idolchat_core.testing import reserve_port
from idolchat_storage_postgres.testing import PostgresServer
from tests.support.server import START_S, Server
from tests.support.zygote import ForkedServer, Zygote

__all__ = ["SERVED_BY", "Cluster", "Nginx", "environment_of", "running_cluster"]

SERVED_BY = "X-Served-By"
"""The header in which the balancer says whom it has asked."""
PLUGINS = "storage-postgres,llm-openrouter"
_CONFIG = """
daemon off;
worker_processes 1;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream idolchat {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://idolchat;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      add_header {served_by} $upstream_addr always;
      proxy_connect_timeout 2s;
      proxy_read_timeout 60s;
      proxy_next_upstream error timeout http_502 http_503 non_idempotent;
      proxy_next_upstream_tries 3;
    }}
  }}
}}
"""


def environment_of(url: str, **more: str) -> dict[str, str]:
    """Return what a server of a database needs in its environment."""
    return {
        "IDOLCHAT_STORAGE": "postgres",
        "IDOLCHAT_POSTGRES_URL": url,
        "IDOLCHAT_PLUGINS": PLUGINS,
        "OPENROUTER_API_KEY": "sk-or-v1-canary",
        **more,
    }


class Nginx:
    """A balancer that asks one server after the other, and the next one where one does not answer."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        folder.mkdir()
        folder.chmod(0o755)
        self.port = reserve_port()
        servers = " ".join(f"server 127.0.0.1:{port} max_fails=1 fail_timeout=1s;" for port in ports)
        self._config = folder / "nginx.conf"
        self._config.write_text(_CONFIG.format(folder=folder, servers=servers, port=self.port, served_by=SERVED_BY))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address of the WebSocket behind it."""
        return f"ws://127.0.0.1:{self.port}/ws/chat"

    def start(self) -> None:
        """Start it, and return when it answers."""
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self._process = subprocess.Popen(
            [program, "-p", str(self._config.parent), "-c", str(self._config)], stderr=subprocess.DEVNULL
        )
        gives_up_at = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < gives_up_at:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.02)
        raise AssertionError(f"nginx did not start: {(self._config.parent / 'error.log').read_text()}")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


class Cluster:
    """Servers that serve one database, each with a data folder of its own."""

    def __init__(
        self, folder: Path, zygote: Zygote, *, url: str, count: int, environment: Mapping[str, str], port: int
    ) -> None:
        ports = [reserve_port() for _ in range(count)]
        self.servers: list[ForkedServer] = []
        for number in range(count):
            place = folder / f"server-{number}"
            place.mkdir()
            given = environment_of(url, IDOLCHAT_PORT=str(ports[number]), **environment)
            self.servers.append(ForkedServer(place, given, zygote))
        self.nginx = Nginx(folder / "nginx", ports)
        self.database = url
        self.postgres_port = port

    @property
    def url(self) -> str:
        """Where the balancer listens."""
        return self.nginx.url

    @property
    def ws_url(self) -> str:
        """The address of the WebSocket behind it."""
        return self.nginx.ws_url

    def start(self) -> None:
        """Start all servers, and then the balancer."""
        for server in self.servers:
            server.start()
        self.nginx.start()

    def stop(self) -> None:
        """Kill everything."""
        self.nginx.stop()
        for server in self.servers:
            if server.is_running:
                server.send_signal(signal.SIGCONT)
            server.__exit__()

    def client(self, server: Server | None = None) -> httpx.AsyncClient:
        """Return a client of the balancer, or of one server."""
        url = server.url if server is not None else self.url
        return httpx.AsyncClient(base_url=url, timeout=60, verify=False, trust_env=False)  # noqa: S501


@contextmanager
def running_cluster(
    folder: Path, zygote: Zygote, postgres: PostgresServer, *, count: int = 3, starts: bool = True, **environment: str
) -> Iterator[Cluster]:
    """Run servers on a new database; without ``starts`` they are started by who has asked for them."""
    name = f"cluster_{reserve_port()}"
    url = postgres.make_database(name)
    cluster = Cluster(folder, zygote, url=url, count=count, environment=environment, port=postgres.port)
    try:
        if starts:
            cluster.start()
        yield cluster
    finally:
        cluster.stop()
        postgres.drop_database(name)
