"""PostgreSQL ends, runs out of something, or refuses: everything waits, nothing is blamed."""

import asyncio
import os
import pwd
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from tests.chaos.fault import Fault
from tests.chaos.scene import Scene
from tests.chaos.telling import until_everybody_says

AWAY_SECONDS: Final = 3.0
RESETS: Final = 5
SYS_ADMIN: Final = 1 << 21
"""The capability to mount (linux/capability.h)."""


@asynccontextmanager
async def superuser(scene: Scene) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the world's database, by the direct way."""
    connection = await asyncpg.connect(scene.world.database_url)
    try:
        yield connection
    finally:
        await connection.close()


async def end_sessions(connection: asyncpg.Connection, condition: str = "true") -> int:
    """End the services' sessions of which the condition holds; how many there were."""
    rows = await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608  our own words
        " WHERE datname = current_database() AND application_name = 'isp-ticketing'"
        f" AND {condition}"
    )
    return len(rows)


async def until_each_has_said(scene: Scene, problem: str) -> None:
    """Wait until each service's /readyz has named it once. All the while /livez is green.

    Work that needs nothing of what is broken goes on between, and says that all is well.
    """
    silent = {member.process.pid for member in scene.services.members}

    async def is_said() -> bool:
        for member in scene.services.members:
            assert (await member.document("/livez"))[0] == 200
            _, ready = await member.document("/readyz")
            if any(problem in each for each in ready["problems"]):
                silent.discard(member.process.pid)
        return not silent

    await scene.world.until(is_said, f"each /readyz has said {problem!r}")


@dataclass(frozen=True, slots=True)
class Crash:
    """An immediate stop, and a start that recovers from the log."""

    name: str = "PostgreSQL crashes"

    async def strike(self, scene: Scene) -> None:
        await asyncio.to_thread(scene.postgres.stop, immediate=True)
        await asyncio.sleep(scene.rng.uniform(0, AWAY_SECONDS))
        await asyncio.to_thread(scene.postgres.start)


@dataclass(frozen=True, slots=True)
class Restart:
    """A fast shutdown, as at an upgrade."""

    name: str = "PostgreSQL restarts"

    async def strike(self, scene: Scene) -> None:
        await asyncio.to_thread(scene.postgres.stop)
        await until_everybody_says(scene, "database does not answer")
        await asyncio.to_thread(scene.postgres.start)


WRITING: Final = "wait_event_type = 'Lock' AND query ~ '^(COPY|INSERT)'"


@dataclass(frozen=True, slots=True)
class MidCopy:
    """Sessions are ended while they write, by COPY as soon as enough records wait."""

    name: str = "connections end in mid-COPY"

    async def strike(self, scene: Scene) -> None:
        async with superuser(scene) as owner, superuser(scene) as locking, locking.transaction():
            await locking.execute("LOCK TABLE tickets IN SHARE MODE")  # nobody writes a row

            async def is_ended() -> bool:
                return await end_sessions(owner, WRITING) > 0

            for _ in range(RESETS):
                await scene.world.until(is_ended, "a session that writes")


@dataclass(frozen=True, slots=True)
class NoConnections:
    """Others take all connections that the server has."""

    name: str = "too many connections"

    async def strike(self, scene: Scene) -> None:
        taken: list[asyncpg.Connection] = []
        async with superuser(scene) as connection:
            taking = asyncio.create_task(self._keep_taking(scene, connection, taken))
            try:
                await until_each_has_said(scene, "too many")
            finally:
                taking.cancel()
                await asyncio.gather(taking, return_exceptions=True)
            for each in taken:
                each.terminate()

    async def _keep_taking(
        self, scene: Scene, connection: asyncpg.Connection, taken: list[asyncpg.Connection]
    ) -> None:
        """Until nobody else has any: what is freed is anybody's, a service's among them."""
        while True:
            await self._take_all(scene, taken)
            await end_sessions(connection)

    async def _take_all(self, scene: Scene, taken: list[asyncpg.Connection]) -> None:
        try:
            while True:
                taken.append(await asyncpg.connect(scene.world.database_url))
        except asyncpg.TooManyConnectionsError:
            return


@dataclass(frozen=True, slots=True)
class Altered:
    """The database is altered, its sessions are ended, and some time later it is as before.

    problem: what /readyz says; None where nobody need notice. is_lasting: the sessions that began
    meanwhile stay as they are.
    """

    name: str
    alter: str
    problem: str | None
    restore: str
    is_lasting: bool = False

    async def strike(self, scene: Scene) -> None:
        database = urlsplit(scene.world.database_url).path.removeprefix("/")
        async with superuser(scene) as connection:
            await connection.execute(self.alter.format(database=database))
            try:
                await end_sessions(connection)
                if self.problem is None:
                    await asyncio.sleep(AWAY_SECONDS)
                else:
                    await until_each_has_said(scene, self.problem)
            finally:
                await connection.execute(self.restore.format(database=database))
                if not self.is_lasting:
                    await end_sessions(connection)


@dataclass(frozen=True, slots=True)
class Locked:
    """Somebody locks a table for longer than a statement may take: 30 s."""

    name: str = "a table is locked"

    async def strike(self, scene: Scene) -> None:
        async with superuser(scene) as connection, connection.transaction():
            await connection.execute("LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE")
            await until_each_has_said(scene, "database does not answer")


@dataclass(frozen=True, slots=True)
class DiskFull:
    """The tickets are moved to a file system of some megabytes, which something else then fills."""

    name: str = "the database's disk is full"

    async def strike(self, scene: Scene) -> None:
        with small_disk() as disk:
            async with superuser(scene) as connection:
                await connection.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
                try:
                    await connection.execute("ALTER TABLE tickets SET TABLESPACE small")
                    filler = disk / "filler"
                    fill(filler)
                    await until_each_has_said(scene, "No space left on device")
                    filler.unlink()
                finally:
                    (disk / "filler").unlink(missing_ok=True)
                    await connection.execute("ALTER TABLE tickets SET TABLESPACE pg_default")
                    await connection.execute("CHECKPOINT")
                    await connection.execute("DROP TABLESPACE small")


def can_mount() -> bool:
    """Whether this process may mount file systems; root in a container usually may not."""
    if not Path("/proc/self/status").exists():
        return False
    status = Path("/proc/self/status").read_text()
    (effective,) = re.findall(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(int(effective, 16) & SYS_ADMIN)


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of 64 megabytes that a server of any user may write to."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        disk = directory / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=True)  # noqa: S607
        try:
            place = disk / "tablespace"
            place.mkdir()
            if os.geteuid() == 0:
                user = pwd.getpwnam("nobody")
                os.chown(place, user.pw_uid, user.pw_gid)
            yield place
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)  # noqa: S607  files may be open


def fill(path: Path) -> None:
    """Write until there is no room."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(65_536))


DATABASE_FAULTS: Final[Sequence[Fault]] = (
    Crash(),
    Restart(),
    MidCopy(),
    NoConnections(),
    Altered(
        "PostgreSQL is read-only after a failover",
        'ALTER DATABASE "{database}" SET default_transaction_read_only = on',
        "read-only transaction",
        'ALTER DATABASE "{database}" RESET default_transaction_read_only',
        is_lasting=True,
    ),
    Altered(
        "serializable transactions fail",
        'ALTER DATABASE "{database}" SET default_transaction_isolation = serializable',
        None,
        'ALTER DATABASE "{database}" RESET default_transaction_isolation',
    ),
    Altered(
        "the schema is not ours",
        "ALTER TABLE tickets RENAME COLUMN subject TO headline",
        '"subject"',
        "ALTER TABLE tickets RENAME COLUMN headline TO subject",
    ),
    Locked(),
    *((DiskFull(),) if can_mount() else ()),
)
