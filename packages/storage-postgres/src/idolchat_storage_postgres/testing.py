"""A PostgreSQL for tests and benchmarks: a cluster of its own in a folder, gone at the end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from idolchat_core.testing import reserve_port

__all__ = ["PostgresServer", "find_binaries", "running_pgbouncer", "running_postgres"]

_START_S = 60
_UNPRIVILEGED = ("postgres", "nobody")


def find_binaries() -> Path:
    """Find the folder of ``pg_ctl``, which Debian does not put on the PATH. Raises ``FileNotFoundError``."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if not folders:
        raise FileNotFoundError("there is no pg_ctl here: install postgresql")
    return folders[-1].parent


class PostgresServer:
    """A cluster in a folder, with the superuser ``postgres`` and no passwords, on a port of loopback.

    ``environment`` is added to that of the process by the next ``start``.
    """

    def __init__(self, folder: Path, *, options: Sequence[str] = (), fsync: bool = False) -> None:
        self.folder = folder
        self.port = reserve_port()
        self.environment: dict[str, str] = {}
        self._options = [*options] if fsync else ["fsync=off", "full_page_writes=off", *options]
        self._user = _unprivileged()
        if self._user is not None:
            shutil.chown(folder, self._user)
        self._data = folder / "data"
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}", *self._options]
        options = " ".join([f"-p {self.port}", *(f"-c {setting}" for setting in settings)])
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", str(_START_S), "-l", log, "-o", options, "start")

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop it; ``immediate`` as if it had crashed."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def restart(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop and start it."""
        self.stop(mode)
        self.start()

    def url(self, database: str = "postgres", *, user: str = "postgres", port: int | None = None) -> str:
        """Return the address of a database."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def query(self, sql: str, *, database: str = "postgres", user: str = "postgres") -> str:
        """Run SQL and return what it gives, a row a line. Raises ``AssertionError`` with what PostgreSQL says."""
        command = [str(find_binaries() / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
        command += ["-p", str(self.port), "-U", user, database]
        done = subprocess.run(command, input=sql, text=True, capture_output=True, check=False)  # noqa: S603
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout.strip()

    def make_database(self, name: str, *, template: str = "template1") -> str:
        """Make a database, and return its address."""
        self.query(f'create database "{name}" template "{template}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever uses it."""
        self.query(f'drop database if exists "{name}" with (force)')

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(find_binaries() / program), *arguments]
        subprocess.run(  # noqa: S603
            command,
            check=True,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.DEVNULL,
            user=self._user,
            group=None,
        )


@contextmanager
def running_postgres(*, options: Sequence[str] = (), fsync: bool = False) -> Iterator[PostgresServer]:
    """Run a cluster of its own. ``options`` are settings such as ``max_connections=200``.

    Without ``fsync``, what is written is lost with the machine's power: for tests of everything else.
    """
    folder = Path(tempfile.mkdtemp(prefix="idolchat-pg-"))
    try:
        server = PostgresServer(folder, options=options, fsync=fsync)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_pgbouncer(server: PostgresServer, mode: Literal["session", "transaction", "statement"]) -> Iterator[int]:
    """Run Debian's pgbouncer before a server, and give its port."""
    folder = server.folder / f"pgbouncer-{mode}"
    folder.mkdir()
    port = reserve_port()
    (folder / "users.txt").write_text('"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = {mode}\n"
        f"auth_type = trust\nauth_file = {folder}/users.txt\nlogfile = {folder}/log\npidfile = {folder}/pid\n"
    )
    user = _unprivileged()
    if user is not None:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, user)
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    process = subprocess.Popen([program, "-q", str(folder / "pgbouncer.ini")], user=user)  # noqa: S603
    try:
        _await_port(port)
        yield port
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _await_port(port: int) -> None:
    ends_at = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.02)
        else:
            return


def _unprivileged() -> str | None:
    """Name the user that it runs as, for it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = Path("/etc/passwd").read_text("utf-8")
    return next(name for name in _UNPRIVILEGED if f"\n{name}:" in known)
