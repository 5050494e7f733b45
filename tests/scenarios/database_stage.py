"""A service under a role of its own, and the ways in which its database can refuse to work."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg

from db import migrate
from tests.integration.service_process import ServiceProcess, running_service
from tests.scenarios.messages import customer, requested
from tests.scenarios.world import FAULTY, World

AT_ONCE = 100
"""Requests that are published together: enough for a batch to be written by COPY."""


@dataclass(slots=True)
class DatabaseStage:
    """owner: a superuser's connection to the world's database. role: the service's.

    The service obeys `say`; its faults are those of `faulty`.
    """

    world: World
    service: ServiceProcess
    owner: asyncpg.Connection
    role: str
    sent: int = 0

    @property
    def database(self) -> str:
        return urlsplit(self.world.database_url).path.removeprefix("/")

    async def send(self) -> None:
        """Some more requests."""
        numbers = range(self.sent, self.sent + AT_ONCE)
        self.sent += AT_ONCE
        await self.world.publish(*map(requested, numbers))

    def say(self, sentence: str) -> None:
        """One more fault from now on; an empty one heals them all."""
        assert self.service.process.stdin is not None
        self.service.process.stdin.write(sentence.encode() + b"\n")

    async def hang_up(self) -> None:
        """End all connections of the service."""
        await self.owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", self.role
        )

    async def forbid_writing(self) -> None:
        """As a server that has become a replica."""
        await self.owner.execute(
            f'ALTER DATABASE "{self.database}" SET default_transaction_read_only = on'
        )
        await self.hang_up()

    async def allow_writing(self) -> None:
        """Sessions that began meanwhile stay as they are, and nobody ends them."""
        await self.owner.execute(
            f'ALTER DATABASE "{self.database}" RESET default_transaction_read_only'
        )

    async def take_no_connections(self) -> None:
        await self.owner.execute(f'ALTER DATABASE "{self.database}" CONNECTION LIMIT 0')
        await self.hang_up()

    async def take_connections(self) -> None:
        await self.owner.execute(f'ALTER DATABASE "{self.database}" CONNECTION LIMIT -1')

    async def lock_out(self) -> None:
        await self.owner.execute(f"ALTER ROLE {self.role} NOLOGIN")
        await self.hang_up()

    async def let_in(self) -> None:
        await self.owner.execute(f"ALTER ROLE {self.role} LOGIN")

    async def revoke(self) -> None:
        await self.owner.execute(f"REVOKE INSERT ON tickets FROM {self.role}")

    async def grant(self) -> None:
        await self.owner.execute(f"GRANT INSERT ON tickets TO {self.role}")

    async def rename_column(self) -> None:
        """As a migration that is not ours."""
        await self.owner.execute("ALTER TABLE tickets RENAME COLUMN subject TO headline")

    async def name_column_back(self) -> None:
        await self.owner.execute("ALTER TABLE tickets RENAME COLUMN headline TO subject")

    async def lock(self) -> None:
        """Keep the table; whoever wants it gives up soon."""
        await self.owner.execute(f"ALTER ROLE {self.role} SET lock_timeout = '100ms'")
        await self.hang_up()
        await self.owner.execute("BEGIN; LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE")

    async def unlock(self) -> None:
        await self.owner.execute("COMMIT")
        await self.owner.execute(f"ALTER ROLE {self.role} RESET lock_timeout")


@asynccontextmanager
async def database_stage(world: World) -> AsyncIterator[DatabaseStage]:
    """With a service at work that has decided its first requests."""
    async with AsyncExitStack() as stack:
        owner = await asyncpg.connect(world.database_url)
        stack.push_async_callback(owner.close)
        role, url = await _make_role(owner, world.database_url)
        stack.push_async_callback(owner.execute, f"DROP OWNED BY {role}; DROP ROLE {role}")
        service = await stack.enter_async_context(
            running_service(
                "--obey",
                settings=world.environment | {"DATABASE_URL": url},
                program=FAULTY,
                stdin=asyncio.subprocess.PIPE,
            )
        )
        world.services.append(service)
        stage = DatabaseStage(world, service, owner, role)
        await world.publish(customer())
        await stage.send()
        await world.come_to_rest()
        yield stage


async def _make_role(owner: asyncpg.Connection, database_url: str) -> tuple[str, str]:
    """Its name, and the database's URL for it."""
    role, password = f"ticketing_test_{secrets.token_hex(6)}", secrets.token_hex(8)
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    await migrate.upgrade(database_url, grant_to=role)
    parts = urlsplit(database_url)
    address = parts.netloc.rpartition("@")[2]
    return role, parts._replace(netloc=f"{role}:{password}@{address}").geturl()
