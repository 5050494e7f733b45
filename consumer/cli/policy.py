"""`ticketing policy`: a tenant's teams, settings, routing rules, calendars and SLA policies."""

import asyncio
from typing import Annotated, Any, Final

import orjson
import typer

from consumer.cli.asking import DryRun, Yes, confirm
from consumer.cli.failures import (
    FAILED,
    WRONG_USE,
    CommandFailed,
    database_explained,
    database_place,
    reading,
)
from consumer.cli.output import Json, print_json, say
from consumer.cli.request_lines import STDIN, read_bytes, read_lines
from consumer.settings import Settings, load_settings
from consumer.wording import counted
from db import policies
from db.policies import Stored
from schemas.policy import Policy

ABOUT: Final = "Keep tenants' teams, settings, routing rules, calendars and SLA policies."
NOT_APPLIED: Final = 0
"""The version of a policy that has none yet."""


def apply(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="YAML or JSON; - is stdin.")],
    *,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="TENANT", help="Of this tenant alone; needed where FILE names none."),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Put a policy in force as the tenant's next version, unless nothing in it is new."""
    settings = load_settings()
    policy = _checked(file, "applied")
    tenant_id = _tenant_of(policy, file, tenant)
    document = policy.document
    stored = asyncio.run(_find(settings, tenant_id))
    if stored is not None and orjson.loads(stored.document) == document:
        _tell(tenant_id, stored.version, "unchanged", as_json=as_json)
        return
    version = 1 if stored is None else stored.version + 1
    touched = (
        ("database", database_place(settings)),
        ("file", "stdin" if file == STDIN else file),
        ("tenant", tenant_id),
        ("version", f"{version} (in force: {'none' if stored is None else stored.version})"),
        ("holds", _contents(policy)),
    )
    confirm(touched, "Apply it?", yes=yes or dry_run)
    if not dry_run:
        with database_explained(settings):
            asyncio.run(_add(settings, tenant_id, version, document))
    _tell(tenant_id, version, "would_apply" if dry_run else "applied", as_json=as_json)


def show(
    *,
    tenant: Annotated[str, typer.Option("--tenant", metavar="TENANT", help="Whose policy.")],
    version: Annotated[
        int | None,
        typer.Option(min=1, max=2**31 - 1, metavar="N", help="(default: the one in force)"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a version of a tenant's policy, as a file that can be applied again."""
    stored = asyncio.run(_find(load_settings(), tenant, version))
    if stored is None:
        which = "no policy" if version is None else f"no version {version} of a policy"
        raise CommandFailed(f"Tenant {tenant} has {which}.")
    document = {"tenant_id": tenant, **orjson.loads(stored.document)}
    if as_json:
        print_json(
            {
                "tenant_id": tenant,
                "version": stored.version,
                "applied_at": stored.applied_at,
                "document": document,
            }
        )
        return

    from consumer.policy_page import as_yaml

    typer.echo(f"# Version {stored.version}, applied at {stored.applied_at:%Y-%m-%dT%H:%M:%SZ}.")
    typer.echo(as_yaml(document), nl=False)


def try_out(
    file: Annotated[str, typer.Argument(metavar="FILE", help="YAML or JSON.")],
    *,
    as_json: Json = False,
) -> None:
    """Show what each request on stdin would get by a policy that is not applied."""
    if file == STDIN:
        raise CommandFailed("FILE can't be stdin here, where the requests are.", WRONG_USE)
    policy = _checked(file, "tested")

    from consumer.cli.trial_page import sentence
    from consumer.policy_trial import Untried, tried
    from handlers.routing import compile_policy

    compiled, are_all_tried = compile_policy(policy.document, NOT_APPLIED), True
    for line, value in read_lines(STDIN):
        try:
            found = tried(compiled, policy.tenant_id, line, value).as_json()
        except Untried as error:
            are_all_tried = False
            found = {"error": str(error)}
        if as_json:
            print_json({"line": line, **found})
        else:
            say(f"line {line}: {sentence(found)}", "red" if "error" in found else None)
    if not are_all_tried:
        raise typer.Exit(FAILED)


COMMANDS: Final = (
    (apply, "apply", "Example: ticketing policy apply acme.yaml --dry-run"),
    (show, "show", "Example: ticketing policy show --tenant acme --version 3"),
    (try_out, "test", "Example: ticketing policy test acme.yaml --json < requests.jsonl"),
)


def _checked(file: str, done: str) -> Policy:
    """The policy in a file. done: what did not happen where it is invalid."""
    from consumer.policy_file import InvalidPolicy, read_policy

    name = "stdin" if file == STDIN else file
    try:
        return read_policy(name, read_bytes(file))
    except InvalidPolicy as error:
        typer.echo(str(error), err=True)
        faults = counted(error.count, "error")
        raise CommandFailed(f"Nothing was {done}: {name} has {faults}.") from None


def _tenant_of(policy: Policy, file: str, tenant: str | None) -> str:
    match policy.tenant_id, tenant:
        case None, None:
            raise CommandFailed(
                f"{file} names no tenant: give it a field tenant_id, or name one with --tenant.",
                WRONG_USE,
            )
        case None, str(named):
            return _valid_tenant(named)
        case str(own), None:
            return own
        case own, named if own == named:
            return str(own)
        case own, named:
            raise CommandFailed(
                f"Nothing was applied: {file} is the policy of tenant {own}, not of {named}.",
                WRONG_USE,
            )


def _valid_tenant(tenant: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from schemas.fields import TenantId

    try:
        return TypeAdapter[str](TenantId).validate_python(tenant)
    except ValidationError:
        raise CommandFailed(
            f"--tenant is {tenant!r}; give 1 to 255 of the characters A-Z a-z 0-9 . _ -.", WRONG_USE
        ) from None


async def _find(settings: Settings, tenant_id: str, version: int | None = None) -> Stored | None:
    async with reading(settings) as connection:
        return await policies.find(connection, tenant_id, version)


async def _add(settings: Settings, tenant_id: str, version: int, document: dict[str, Any]) -> None:
    from consumer.transaction import transaction
    from db.connect import open_pool

    pool = await open_pool(
        settings.database_url.get_secret_value(),
        size=1,
        pooler=settings.database_pooler,
        application_name="ticketing policy apply",
    )
    try:
        async with transaction(pool) as connection:
            await policies.add(connection, tenant_id, version, orjson.dumps(document).decode())
    finally:
        await pool.close()


def _contents(policy: Policy) -> str:
    parts = [counted(len(policy.teams), "team"), counted(len(policy.routing), "rule")]
    if policy.calendars:
        parts.append(counted(len(policy.calendars), "calendar"))
    if policy.sla:
        parts.append(counted(len(policy.sla), "SLA policy", "SLA policies"))
    return ", ".join(parts)


def _tell(tenant_id: str, version: int, result: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"tenant_id": tenant_id, "version": version, "result": result})
        return
    match result:
        case "applied":
            say(f"{tenant_id}: version {version} is in force.")
        case "would_apply":
            say(f"{tenant_id}: would become version {version}.")
        case _:
            say(f"{tenant_id}: nothing is new; version {version} stays in force.")
