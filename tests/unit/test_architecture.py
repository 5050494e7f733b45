"""The rules that no linter knows, read off the syntax trees of the product's modules."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("consumer", "handlers", "schemas", "db", "migrations")
OUTSIDE = ("tests", "devstack", "benchmarks", "examples")
"""Not in the wheel: the product must do without them."""

MOST_LINES = 60
"""Of a function's body: what a screen shows. A long signature is a list of names."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """A file of the product. name: its path from the root, such as `consumer/relay.py`."""

    name: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name.partition("/")[0]


MODULES = [
    Module(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
    for package in PRODUCT
    for path in sorted((ROOT / package).rglob("*.py"))
]


def calls(module: Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call, by the last word of what is called."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
                yield name, node
            case _:
                pass


def modules_that_call(*names: str) -> set[tuple[str, str]]:
    return {(module.name, name) for module in MODULES for name, _ in calls(module) if name in names}


def modules_that_mention(*expressions: str) -> set[str]:
    """The modules that use one of these dotted names, or import its last word from its module."""
    found = set()
    for module in MODULES:
        for node in ast.walk(module.tree):
            match node:
                case ast.Attribute() | ast.Name():
                    mentioned = {ast.unparse(node)}
                case ast.ImportFrom(module=source, names=names):
                    mentioned = {f"{source}.{alias.name}" for alias in names}
                case _:
                    continue
            if mentioned & set(expressions):
                found.add(module.name)
    return found


def test_one_module_commits_what_the_business_writes() -> None:
    texts = {
        module.name
        for module in MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and node.value in {"COMMIT", "COMMIT;"}
    }
    assert texts == {"consumer/transaction.py"}
    assert modules_that_call("commit", "acquire") == {
        ("consumer/transaction.py", "acquire"),
        ("consumer/leadership.py", "acquire"),  # the lease: single statements, each for itself
        ("consumer/compose.py", "acquire"),  # one question, at the start
        ("consumer/offsets.py", "commit"),  # Kafka's offsets
    }


def test_what_decides_and_writes_works_in_its_callers_transaction() -> None:
    begun = modules_that_call("begin", "transaction")
    assert {(name, call) for name, call in begun if not name.startswith("consumer/")} == {
        ("db/migrate.py", "begin"),  # `ticketing migrate`: the schema, not rows
    }


def test_one_module_reads_the_environment() -> None:
    assert modules_that_mention("os.environ", "os.getenv", "dotenv.dotenv_values") == {
        "consumer/settings.py",
        "consumer/cli/output.py",  # FORCE_COLOR: a terminal's custom, not a setting
    }


def test_one_module_reads_the_clock() -> None:
    clocks = [f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns")]
    clocks += [f"datetime.{name}" for name in ("now", "utcnow", "today")]
    clocks += ["date.today", "datetime.datetime.now", "loop.time"]
    assert modules_that_mention(*clocks) == {"consumer/clock.py"}


def test_the_business_measures_nothing_and_never_sleeps() -> None:
    impatient = modules_that_mention("time.perf_counter", "time.sleep", "asyncio.sleep")
    assert {name for name in impatient if not name.startswith("consumer/")} == set()


def test_kafka_clients_are_built_in_one_place() -> None:
    built = modules_that_call("AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaAdminClient")
    assert {name for name, _ in built} == {"consumer/clients.py"}


def test_every_wait_has_a_name() -> None:
    """A number of seconds is a decision: it stands where its reason does."""
    nameless = [
        f"{module.name}:{call.lineno}"
        for module in MODULES
        for name, call in calls(module)
        if name in {"sleep", "timeout", "wait_for", "call_later"}
        for argument in call.args[:1] + [each.value for each in call.keywords]
        if isinstance(argument, ast.Constant) and argument.value not in {0, None}
    ]
    assert nameless == []


def test_a_package_says_one_sentence_and_does_nothing() -> None:
    for module in MODULES:
        if module.name.endswith("__init__.py"):
            sentence = ast.get_docstring(module.tree)
            assert sentence, module.name
            assert "\n" not in sentence, module.name
            assert len(module.tree.body) == 1, module.name


STATEMENTS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)


def does_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case _:
            return isinstance(statement, STATEMENTS)


def test_modules_only_define() -> None:
    acting = [
        f"{module.name}:{statement.lineno}"
        for module in MODULES
        for statement in module.tree.body
        if not does_nothing(statement) and module.name != "migrations/env.py"  # Alembic's program
    ]
    assert acting == []


IMPORT_EVERYTHING = """
import sys, threading
deeds = []
writing = ("w", "a", "x", "+")
def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.putenv", "os.mkdir"):
        deeds.append((event, repr(arguments)))
    if event == "open" and any(letter in str(arguments[1]) for letter in writing):
        deeds.append((event, repr(arguments)))
sys.addaudithook(watch)
import importlib, logging, signal
handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
for name in sys.argv[1:]:
    importlib.import_module(name)
assert not deeds, deeds
assert handlers == {number: signal.getsignal(number) for number in signal.valid_signals()}
assert threading.active_count() == 1, threading.enumerate()
assert not logging.getLogger().handlers
import structlog
assert not structlog.is_configured()
from aiokafka.consumer import fetcher
assert fetcher.MemoryRecords.__module__.startswith("aiokafka.")
"""


def test_importing_everything_changes_nothing() -> None:
    names = [
        module.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for module in MODULES
        if not module.name.startswith("migrations/")
    ]
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_EVERYTHING, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_function_fits_on_a_screen() -> None:
    long = {
        f"{module.name}: {node.name}": lines
        for module in MODULES
        if module.package != "migrations"  # a migration is a list of columns
        for node in ast.walk(module.tree)
        if isinstance(node, Function)
        and (lines := (node.end_lineno or 0) - node.body[0].lineno + 1) > MOST_LINES
    }
    assert long == {}


def imported(module: Module) -> set[str]:
    found = set()
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(source), level=0):
                found.add(source)
            case ast.ImportFrom():
                raise AssertionError(f"{module.name} imports relatively")
            case _:
                pass
    return {name.partition(".")[0] for name in found}


def test_the_product_needs_nothing_that_is_not_shipped() -> None:
    for module in MODULES:
        assert imported(module).isdisjoint(OUTSIDE), module.name


def test_the_contract_knows_pydantic_and_the_standard_library_alone() -> None:
    known = {*sys.stdlib_module_names, "pydantic", "pydantic_core", "schemas"}
    for module in MODULES:
        if module.package == "schemas":
            assert imported(module) <= known, module.name


SQL = re.compile(
    r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|GRANT|SET LOCAL|NOTIFY|WITH|FROM"
    r"|WHERE|VALUES|ORDER BY|LIMIT)\b"
)
CONSTANT = re.compile(r"_?[A-Z][A-Z_]*|transactions\.BEGIN")
NAMES_OF_OURS = {
    "consumer/database_checks.py": {"role"},  # a sentence for people, never sent
    "consumer/ledger.py": {"int(idle_seconds * 1000)"},
    "db/bulk.py": {
        *("table.name", "names", "values", "arrays"),
        *("_selection(table, columns, first)", "expressions", "main"),
    },
    # A role's name comes from an operator; `quoted` makes an identifier of it.
    "db/grants.py": {"name", "what", "table", "policy", "role", "quoted(role)", "quoted(schema)"},
    "db/loose_ends.py": {"kind.question"},
    "db/migrate.py": {"lock_milliseconds"},
    "db/party_reading.py": {"table.name"},
    "db/parties.py": {"table.name", "values", "source"},
    "db/requests.py": {"values", "source", "len(rows)"},
    "db/clocks.py": {"names", "values", "source"},
    "db/tickets.py": {"values", "source"},
    "migrations/versions/0001_tickets_requests_and_facts.py": {"table"},
}
"""What stands in statements besides constants: names of tables and columns from `db.tables`, and
numbers of ours. Values go to the database as arguments; whoever adds a name here has looked."""


def in_statements(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        match node:
            case ast.JoinedStr(values=values) if SQL.search(
                "".join(str(each.value) for each in values if isinstance(each, ast.Constant))
            ):
                yield from (
                    ast.unparse(each.value)
                    for each in values
                    if isinstance(each, ast.FormattedValue)
                )
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
                assert not SQL.search(text), f"{module.name}: {text}"
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod() | ast.Add()):
                assert not SQL.search(text), f"{module.name}: {text}"
            case _:
                pass


@pytest.mark.parametrize("module", MODULES, ids=[module.name for module in MODULES])
def test_no_statement_is_built_from_input(module: Module) -> None:
    found = {name for name in in_statements(module) if not CONSTANT.fullmatch(name)}
    assert found <= NAMES_OF_OURS.get(module.name, set())
