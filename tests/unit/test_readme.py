"""README.md and docs/ say what is: tables from the code, commands, links, settings and metrics."""

import ast
import inspect
import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from consumer.cli.commands import ENTRIES, loaded
from consumer.contract_story import REQUEST
from consumer.metrics import Metrics
from consumer.settings import setting_docs
from consumer.variables import NOT_OURS, names_of
from handlers.workflow import TicketingService
from schemas.decode import Decoded, decode
from schemas.ticket_created import TicketCreated
from schemas.ticket_requested import TicketRequested
from tests.generated_docs import (
    CONTRACT,
    PAGES,
    PART,
    PARTS,
    ROOT,
    whole_files,
    written_again,
)

README = (ROOT / "README.md").read_text(encoding="utf-8")
DECISIONS = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
}
GUIDES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs" / "how-to").glob("*.md"))
}
"""Their commands are run by scenarios."""

every_page = pytest.mark.parametrize("page", TEXTS)
every_text = pytest.mark.parametrize("page", TEXTS | GUIDES)


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_what_is_made_from_the_code_is_up_to_date(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert written_again(page) == page, "run `make docs`"


def test_the_files_of_the_contract_are_up_to_date() -> None:
    made = whole_files()
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make docs`"
    kept = {path for path in CONTRACT.rglob("*.*") if "released" not in path.parts}
    assert kept == made.keys()


def test_every_part_stands_somewhere() -> None:
    used = {found[2] for path in PAGES for found in PART.finditer(path.read_text(encoding="utf-8"))}
    assert used == PARTS.keys()


def test_the_example_keeps_the_contract() -> None:
    request, fact = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert isinstance(decode(TicketRequested, request.encode(), ()), Decoded)
    created = TicketCreated.model_validate_json(fact)
    assert created.request_id == REQUEST["request_id"]


def section(heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)^## ", README, re.DOTALL | re.MULTILINE)
    assert found, heading
    return found[1]


def promises() -> list[str]:
    rows = [line for line in section("What it promises").splitlines() if line.startswith("| ")]
    return rows[1:]


@pytest.mark.parametrize("promise", promises())
def test_a_promise_is_shown_by_tests_that_exist(promise: str) -> None:
    links = re.findall(r"\[`(\w+)`\]\((tests/[\w/]+\.py)\)", promise)
    assert links
    assert any(path.startswith("tests/scenarios/") for _, path in links) or "start" in promise
    for name, path in links:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {getattr(node, "name", None) for node in tree.body}, f"{path} has no {name}"


@every_text
def test_every_link_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", (TEXTS | GUIDES)[page]):
        if not target.startswith("https://"):
            assert ((ROOT / page).parent / target).exists(), target


def commands(page: str) -> list[list[str]]:
    """The commands in shell blocks, and those in code spans that begin with a program of ours."""
    text = TEXTS[page]
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.split("\n")
    ]
    spans = re.findall(r"`((?:ticketing|make|python -m) [^`]+)`", text)
    found = [shlex.split(line, comments=True) for line in (*lines, *spans)]
    return [words for words in found if words]


@every_page
def test_every_command_is_one(page: str) -> None:
    for words in commands(page):
        match words:
            case ["make", *targets]:
                check_make(targets)
            case ["ticketing" | ".venv/bin/ticketing", *arguments]:
                check_ticketing(arguments)
            case ["docker", "compose", *arguments]:
                check_compose(arguments)
            case ["python", "-m", module, *_]:
                path = ROOT / module.replace(".", "/")
                assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), words
            case ["export", assignment]:
                assert assignment.partition("=")[0] in KNOWN
            case _:
                raise AssertionError(f"{page}: nobody checks {shlex.join(words)}")


MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def check_make(words: list[str]) -> None:
    for word in words:
        name, is_variable, _ = word.partition("=")
        wanted = rf"\b{name}\b" if is_variable else rf"^{name}:.* ## "
        assert re.search(wanted, MAKEFILE, re.MULTILINE), word


def check_ticketing(arguments: list[str]) -> None:
    if arguments[:1] == ["--help"]:
        return
    (entry,) = [entry for entry in ENTRIES if entry.name == arguments[0]]
    command = get_command(loaded(entry))
    rest = arguments[1:]
    if entry.is_group and rest:
        command = getattr(command, "commands")[rest.pop(0)]  # noqa: B009  its type doesn't say it
    known = {option for parameter in command.params for option in parameter.opts}
    for word in rest:
        if word.startswith("--"):
            assert word in known | {"--help"}, arguments


COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def check_compose(arguments: list[str]) -> None:
    match arguments:
        case ["up", "--build"]:
            assert COMPOSE["consumer"]["build"]
        case ["--profile", profile, "run", "--rm", service]:
            assert profile in COMPOSE[service]["profiles"]
        case _:
            raise AssertionError(arguments)


KNOWN = {name for doc in setting_docs() for name in names_of(doc)}


@every_text
def test_every_setting_is_one(page: str) -> None:
    for name in re.findall(r"\bTICKETING_[A-Z_]+\b", (TEXTS | GUIDES)[page]):
        assert name in KNOWN or name.startswith(NOT_OURS), name


@every_page
def test_every_metric_is_one(page: str) -> None:
    shown = Metrics().rendered().decode()
    for name in re.findall(r"`(ticketing_[a-z_]+)`", TEXTS[page]):
        assert re.search(rf"^# TYPE {name} ", shown, re.MULTILINE), name


def test_the_call_of_the_library_face_is_one() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    tree = compile(block, "README.md", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    (call,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "create_ticket"
    ]
    arguments = {str(each.arg): None for each in call.keywords}
    inspect.signature(TicketingService.create_ticket).bind(None, **arguments)


def test_every_decision_says_why_and_when_to_look_again() -> None:
    decisions = DECISIONS.split("\n### ")[1:]
    assert decisions
    for decision in decisions:
        for mark in ("**Why:** ", "**Revisit when** "):
            assert decision.count(f"\n{mark}") == 1, decision.partition("\n")[0]
