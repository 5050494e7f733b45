"""`ticketing customers import`: by the rules of `customer.changed`."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest

from tests.integration.command import Command

ADA = "11111111-1111-4111-8111-111111111111"
BOB = "22222222-2222-4222-8222-222222222222"
HEADING = "customer_id,tenant_id,external_id,name,status,tier,updated_at\n"


def write(tmp_path: Path, content: str, name: str = "customers.csv") -> str:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    return str(file)


def row(command: Command, customer: str) -> dict[str, object]:
    """A customer as the database keeps it; empty where it doesn't."""

    async def read() -> dict[str, object]:
        connection = await asyncpg.connect(command.environment["DATABASE_URL"])
        found = await connection.fetchrow(
            "SELECT tenant_id, external_id, name, status, tier FROM customers WHERE id = $1",
            customer,
        )
        await connection.close()
        return {} if found is None else dict(found)

    return asyncio.run(read())


def test_csv_is_imported(command: Command, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        HEADING
        + f'{ADA},north,4711,"Lovelace, Ada",ACTIVE,gold,2026-01-01T00:00:00Z\n{BOB},north,,,,,\n',
    )
    done = command("customers", "import", file, "--yes")
    assert (done.code, done.out) == (
        0,
        "Imported 2 customers: 2 changed, 0 unchanged, 0 refused.\n",
    )
    assert row(command, ADA) == {
        "tenant_id": "north",
        "external_id": 4711,
        "name": "Lovelace, Ada",
        "status": "active",
        "tier": "gold",
    }
    assert row(command, BOB)["status"] == "active"


def test_what_excel_saves_is_imported(command: Command, tmp_path: Path) -> None:
    file = write(tmp_path, f"\ufeffcustomer_id;tenant_id;name\n{ADA};north;Ada\n")
    assert command("customers", "import", file, "--yes").code == 0
    assert row(command, ADA)["name"] == "Ada"


def test_json_lines_are_imported_from_stdin(command: Command) -> None:
    line = json.dumps({"customer_id": ADA, "tenant_id": "north", "external_id": 7}).encode()
    done = command("customers", "import", "-", "--yes", "--json", stdin=line + b"\n")
    assert done.json == {"dry_run": False, "changed": 1, "unchanged": 0, "refused": []}
    assert row(command, ADA)["external_id"] == 7


def test_who_is_newer_on_record_stays(command: Command, tmp_path: Path) -> None:
    def imported(name: str, day: int) -> str:
        line = f"{ADA},north,,{name},,,2026-01-0{day}T00:00:00Z\n"
        return command("customers", "import", write(tmp_path, HEADING + line), "--yes").out

    assert "1 changed" in imported("Second", 2)
    assert "1 unchanged" in imported("First", 1)
    assert row(command, ADA)["name"] == "Second"
    assert "1 changed" in imported("Third", 3)
    assert row(command, ADA)["name"] == "Third"


def test_a_dry_run_counts_and_leaves_nothing(command: Command, tmp_path: Path) -> None:
    file = write(tmp_path, f"{HEADING}{ADA},north,,,,,\n")
    done = command("customers", "import", file, "--dry-run")
    assert done.code == 0
    assert done.out == "Would import 1 customer: 1 changed, 0 unchanged, 0 refused.\n"
    assert row(command, ADA) == {}


def test_it_asks_and_without_a_terminal_needs_yes(command: Command, tmp_path: Path) -> None:
    file = write(tmp_path, f"{HEADING}{ADA},north,,,,,\n")
    done = command("customers", "import", file)
    assert done.code == 2
    assert done.err.splitlines()[1:] == [
        f"file: {file}",
        "customers: 1",
        "Nothing was done: without a terminal to ask, --yes is needed.",
    ]
    assert row(command, ADA) == {}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f"{HEADING}{ADA},north,,,,,\nnobody,north,,,,,\n", "line 3: customer_id: is 'nobody'"),
        (f"{HEADING}{ADA},,,,,,\n", "line 2: tenant_id: is missing"),
        (f"{HEADING}{ADA},north,12x,,,,\n", "line 2: external_id: is '12x'"),
        (f"{HEADING}{ADA},north,,,,,2026-01-01\n", "line 2: updated_at: is '2026-01-01'"),
        ("costumer_id,tenant_id\n", "the heading names 'costumer_id', which is no column; did you"),
        (f'{HEADING}"{ADA},north\n', "line 1: "),
        (f"\n{ADA},north\n", "line 1: the heading is missing; the columns are customer_id, "),
    ],
)
def test_one_invalid_line_and_nothing_is_imported(
    command: Command, tmp_path: Path, content: str, problem: str
) -> None:
    done = command("customers", "import", write(tmp_path, content), "--yes")
    assert done.code == 1
    assert problem in done.err
    assert "Nothing was imported: 1 of" in done.err
    assert row(command, ADA) == {}


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff", HEADING])
@pytest.mark.parametrize("name", ["customers.csv", "customers"])
def test_a_file_without_any_customer_is_told(
    command: Command, tmp_path: Path, content: str, name: str
) -> None:
    file = write(tmp_path, content, name)
    done = command("customers", "import", file, "--yes")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(
        f"Nothing was imported: {file} holds no customer; give CSV with a heading (customer_id, "
    )


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_no_text_are_told_with_their_line(
    command: Command, tmp_path: Path, mark: bytes
) -> None:
    file = tmp_path / "customers.csv"
    file.write_bytes(mark + f"{HEADING}{ADA},north,,M".encode() + b"\xfcller,,,\n")
    done = command("customers", "import", str(file), "--yes")
    assert (done.code, done.err.splitlines()[0]) == (
        1,
        "line 2: the byte 0xfc is not UTF-8 text; save the file as UTF-8.",
    )


def test_a_customer_of_another_tenant_is_refused_alone(command: Command, tmp_path: Path) -> None:
    command("customers", "import", write(tmp_path, f"{HEADING}{ADA},north,,,,,\n"), "--yes")
    file = write(tmp_path, f"{HEADING}{ADA},south,,,,,\n{BOB},south,,,,,\n")
    done = command("customers", "import", file, "--yes")
    assert done.code == 1
    assert "1 changed, 0 unchanged, 1 refused" in done.out
    assert f"line 2: customer {ADA} belongs to tenant north" in done.err
    assert row(command, BOB)["tenant_id"] == "south"


def test_a_file_that_is_not_there_is_named(command: Command) -> None:
    done = command("customers", "import", "nowhere.csv", "--yes")
    assert (done.code, done.err) == (2, "nowhere.csv can't be read: No such file or directory.\n")
