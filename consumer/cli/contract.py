"""`ticketing contract`: what upstream services may send and subscribers get, for machines too."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from consumer.cli.failures import FAILED, WRONG_USE, CommandFailed
from consumer.cli.output import Json, print_json, say
from consumer.wording import counted

ABOUT: Final = "Write the contract as AsyncAPI, JSON Schema or a page, and guard it."
RELEASED: Final = "docs/contract/released"
COMMITTED: Final = "docs/contract/schemas"


def write_asyncapi(
    *,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print YAML (the default).")] = False,
    as_json: Json = False,
) -> None:
    """Print the contract as an AsyncAPI 3.0 document."""
    if as_yaml and as_json:
        raise CommandFailed("Give one of --json and --yaml.", WRONG_USE)
    from consumer import contract_files

    document = contract_files.document(version("isp-ticketing"))
    form = contract_files.as_json if as_json else contract_files.as_yaml
    typer.echo(form(document), nl=False)


def schemas(
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write one file for each message there.")
    ] = None,
) -> None:
    """Print a JSON Schema (2020-12) for each message, one a line, or write them to files."""
    from consumer.contract_files import schema_files

    made = schema_files()
    if out is None:
        for text in made.values():
            typer.echo(json.dumps(json.loads(text)))  # no character that may end a line
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"{out} can't be written: {error.strerror}.") from None
    say(f"Wrote {counted(len(made), 'schema')} to {out}.")


def write_page() -> None:
    """Print the contract as one HTML page that loads nothing."""
    from consumer import contract_files
    from consumer.contract_page import page

    typer.echo(page(contract_files.document(version("isp-ticketing"))), nl=False)


def check(
    *,
    against: Annotated[
        str,
        typer.Option(metavar="REF", help="A folder of schemas, or a commit, branch or tag of git."),
    ] = RELEASED,
    as_json: Json = False,
) -> None:
    """Compare today's schemas with earlier ones; exit 1 where a change breaks somebody."""
    from schemas.compatibility import compare
    from schemas.json_schema import all_schemas

    findings = compare(_schemas_at(against), all_schemas().values())
    broken = [each for each in findings if each.is_breaking]
    if as_json:
        print_json(
            {
                "against": against,
                "findings": [{**each._asdict(), "breaking": each.is_breaking} for each in findings],
            }
        )
    else:
        for each in findings:
            say(f"{'breaking' if each.is_breaking else 'compatible'}  {each.sentence}")
        if not findings:
            say(f"Nothing changed since {against}.")
        elif not broken:
            say(f"All of this is compatible with {against}.")
    if broken:
        raise typer.Exit(FAILED)


COMMANDS: Final = (
    (write_asyncapi, "asyncapi", "Example: ticketing contract asyncapi > asyncapi.yaml"),
    (schemas, "schemas", "Example: ticketing contract schemas --out schemas"),
    (write_page, "page", "Example: ticketing contract page > contract.html"),
    (check, "check", "Example: ticketing contract check --against v0.1.0"),
)


def _schemas_at(ref: str) -> list[dict[str, Any]]:
    """The schemas in a folder and those below it, or those that a commit has."""
    folder = Path(ref)
    if folder.is_dir():
        texts = {str(path): path.read_text() for path in sorted(folder.rglob("*.json"))}
    else:
        texts = _committed(ref)
    found = [_schema(place, text) for place, text in texts.items()]
    if not found:
        raise CommandFailed(f"{ref} has no schemas: give a folder, or a commit that has some.")
    return found


def _schema(place: str, text: str) -> dict[str, Any]:
    try:
        schema: dict[str, Any] = json.loads(text)
        _ = schema["$id"], schema["x-direction"]
    except (ValueError, KeyError, TypeError):
        raise CommandFailed(
            f"{place} is no schema of ours: expected JSON with $id and x-direction."
        ) from None
    return schema


def _committed(ref: str) -> dict[str, str]:
    """The schemas of a commit by their paths."""
    listed = _git("ls-tree", "-r", "--name-only", "--end-of-options", ref, "--", COMMITTED)
    if listed is None:
        raise CommandFailed(f"{ref} is neither a folder nor known to git here.", WRONG_USE)
    return {path: _git("show", f"{ref}:./{path}") or "" for path in listed.splitlines()}


def _git(*words: str) -> str | None:
    """What git prints; None where it refuses or is not there."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)  # noqa: S603, S607  the user's own git, and no shell
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
