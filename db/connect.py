"""Connections to PostgreSQL from any libpq URL, all with the same settings.

The URL goes whole to asyncpg. What libpq takes and asyncpg doesn't know is settled here first:
asyncpg sends every unknown parameter to the server, which then refuses the connection.
"""

import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from db.url_checks import UNREADABLE, problem_of

CONNECT_SECONDS = 10.0
"""How long one attempt to connect may take where the URL names no `connect_timeout`."""

COMMAND_SECONDS = 30.0
"""The deadline of one statement: below the 60 s after which a consumer loses its partitions."""

IDLE_IN_TRANSACTION_SECONDS = 15
"""A process that hangs in a transaction frees its locks after this: who has its partitions then
waits for them. Between two statements we never work for more than a second or two."""

CLIENT_ONLY = frozenset(
    {
        "channel_binding",
        "fallback_application_name",
        "gssdelegation",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "replication",
        "require_auth",
        "requirepeer",
        "requiressl",
        "sslcertmode",
        "sslcompression",
        "sslsni",
        "tcp_user_timeout",
    }
)
"""libpq's own parameters that tune the client and promise nothing that asyncpg leaves out."""

PROMISES = {
    "channel_binding": {"disable", "prefer"},
    "gssencmode": {"disable", "prefer"},
    "require_auth": {""},
    "requirepeer": {""},
    "replication": {"false", "off", "no", "0"},
}
"""Parameters that promise safety or another protocol, and the values asyncpg can keep."""


class UnusableUrl(ValueError):
    """DATABASE_URL can't be used: {problem}."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"DATABASE_URL can't be used: {problem}")


@dataclass(frozen=True, slots=True)
class Target:
    """What asyncpg is given: a URL that it understands, and what the URL can't say to it."""

    dsn: str
    timeout: float
    target_session_attrs: str | None
    tls: ssl.SSLContext | None


def target(url: str) -> Target:
    """Read a libpq URL (libpq 34.1.1.2). Raises UnusableUrl, which never names the password."""
    try:
        parts = urlsplit(url.strip())
        options = dict(parse_qsl(parts.query, keep_blank_values=True)) if parts.query else {}
    except ValueError:  # whose own words quote parts of the password
        raise UnusableUrl(UNREADABLE) from None
    if parts.scheme.partition("+")[0] not in {"postgres", "postgresql"}:
        raise UnusableUrl("it must look like postgresql://user:password@host:5432/database")
    if parts.fragment:
        raise UnusableUrl("a # in a name or a password must be written %23")
    if (problem := problem_of(parts, options)) is not None:
        raise UnusableUrl(problem)
    _refuse_broken_promises(options)
    timeout = _seconds(options.pop("connect_timeout", ""))
    if address := options.pop("hostaddr", ""):
        options["host"] = address
    hosts = parts.netloc.rpartition("@")[2] or options.get("host", "")
    attrs = options.pop("target_session_attrs", "read-write" if "," in hosts else None)
    tls = None
    if options.get("sslrootcert") == "system":
        tls = _system_trust(options)
    kept = {name: value for name, value in options.items() if name not in CLIENT_ONLY}
    query = urlencode(kept, quote_via=quote)
    return Target(
        dsn=urlunsplit(("postgresql", parts.netloc, parts.path, query, "")),
        timeout=timeout,
        target_session_attrs=attrs,
        tls=tls,
    )


def server_settings(
    application_name: str, *, pooler: bool, command_timeout: float | None
) -> dict[str, str]:
    """What each connection sets at start. PgBouncer refuses all but the first two."""
    everywhere = {"application_name": application_name[:63], "timezone": "UTC"}
    if pooler:
        return everywhere
    return everywhere | {
        "jit": "off",  # compiling costs more than any of our statements
        "statement_timeout": str(int((command_timeout or 0) * 1000)),
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_SECONDS * 1000),
    }


async def connect(
    url: str,
    *,
    pooler: bool = False,
    application_name: str = "isp-ticketing",
    command_timeout: float | None = COMMAND_SECONDS,
) -> asyncpg.Connection:
    """One connection outside any pool, for work that keeps it (LISTEN) or needs only one."""
    aim = target(url)
    return await asyncpg.connect(
        aim.dsn,
        timeout=aim.timeout,
        ssl=aim.tls,
        target_session_attrs=aim.target_session_attrs,
        command_timeout=command_timeout,
        server_settings=server_settings(
            application_name, pooler=pooler, command_timeout=command_timeout
        ),
        **({"statement_cache_size": 0} if pooler else {}),
    )


async def open_pool(
    url: str,
    *,
    size: int,
    pooler: bool = False,
    application_name: str = "isp-ticketing",
    command_timeout: float = COMMAND_SECONDS,
) -> asyncpg.Pool:
    """Up to `size` connections; one is opened at once, so a wrong address shows here.

    Nothing that a session keeps may be set on a pooled connection: giving one back only ends its
    transaction, without asyncpg's RESET ALL, which would be one more round trip each time.
    """
    aim = target(url)
    return await asyncpg.create_pool(
        aim.dsn,
        init_size=1,
        min_size=0,
        max_size=size,
        timeout=aim.timeout,
        ssl=aim.tls,
        target_session_attrs=aim.target_session_attrs,
        command_timeout=command_timeout,
        reset=_keep_session,
        server_settings=server_settings(
            application_name, pooler=pooler, command_timeout=command_timeout
        ),
        **({"statement_cache_size": 0} if pooler else {}),
    )


def engine(
    url: str,
    *,
    pooler: bool = False,
    application_name: str = "isp-ticketing",
    command_timeout: float | None = COMMAND_SECONDS,
) -> AsyncEngine:
    """SQLAlchemy over the same connections: its own dialect refuses `?sslmode=`."""

    async def open_connection() -> asyncpg.Connection:
        return await connect(
            url,
            pooler=pooler,
            application_name=application_name,
            command_timeout=command_timeout,
        )

    if not pooler:
        return create_async_engine("postgresql+asyncpg://", async_creator=open_connection)

    def open_behind_pooler() -> Any:  # noqa: ANN401  the dialect's own connection
        """Statements get names of their own: the next one may run on another server connection."""
        driver: Any = database.dialect.dbapi
        return driver.connect(
            async_creator_fn=open_connection,
            prepared_statement_cache_size=0,
            prepared_statement_name_func=lambda: f"ticketing_{uuid4()}",
        )

    database = create_async_engine("postgresql+asyncpg://", creator=open_behind_pooler)
    return database


async def _keep_session(_: object) -> None:
    """Leave the session as it is: asyncpg has already ended an open transaction."""


def _refuse_broken_promises(options: dict[str, str]) -> None:
    for name, kept in PROMISES.items():
        if options.get(name, next(iter(kept))) not in kept:
            raise UnusableUrl(
                f"{name}={options[name]} is not supported; leave it out"
                " (sslmode=verify-full protects the connection)"
            )


def _seconds(text: str) -> float:
    """libpq: 0 or absent means no limit; here it means ours."""
    try:
        return float(text or 0) or CONNECT_SECONDS
    except ValueError:
        raise UnusableUrl("connect_timeout must be a number of seconds, such as 10") from None


def _system_trust(options: dict[str, str]) -> ssl.SSLContext:
    """`sslrootcert=system`: the operating system's authorities, host names checked (libpq 16)."""
    del options["sslrootcert"]
    options.pop("sslmode", None)
    context = ssl.create_default_context()
    if certificate := options.pop("sslcert", ""):
        context.load_cert_chain(certificate, options.pop("sslkey", None))
    return context
