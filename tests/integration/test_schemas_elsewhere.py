"""The published schemas mean in JavaScript what they mean in Python: the patterns are portable."""

import json
import subprocess
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from consumer.contract_examples import examples
from schemas.catalogue import Direction
from schemas.json_schema import CONTRACTS, all_schemas
from tests.generated_docs import CONTRACT, ROOT
from tests.node_packages import installed
from tests.unit.schemas.documents import change, customer, request

TEXTS: list[Any] = [
    *(
        "",
        " ",
        "ab",
        "abc",
        "a\nb",
        "\u0085abc\u3000",
        "\ufeff",
        "\u180eab",
        "x" * 256,
        "\U0001f600" * 255,
    ),
    *("HIGH", " \x1cMedium\t", "hi gh", "networ\u212a_issue", "TENANT", "closed\n"),
    *("3F2504E0-4F89-41D3-9A0C-0305E82C3301", " tck-0123456789ab ", "http://a\u00a0b", "HTTPS://a"),
    *("2026-11-24T09:30:00Z", "2026-02-30T09:30:00Z", 5, None, [], {}),
]


def documents() -> list[tuple[str, dict[str, Any]]]:
    """Documents with each of the texts in each of their fields."""
    found = []
    for name, document, fields in (
        ("ticket.requested", request(), ("title", "tenant_id", "priority", "ticket_type")),
        ("ticket.requested", request(), ("customer_id", "requested_at", "origin_type")),
        ("ticket.requested", request(), ("description", "affected_services", "partner_id")),
        ("customer.changed", customer(), ("name", "status", "updated_at", "external_id")),
        ("ticket.change_requested", change("assign"), ("assigned_team", "ticket_number")),
        ("ticket.change_requested", change("set_status"), ("status", "actor", "change")),
    ):
        found += [(name, document | {field: text}) for field in fields for text in TEXTS]
        found += [
            (name, document | {"attachments": [{"name": "n", "url": text}]}) for text in TEXTS
        ]
    return found


def facts() -> list[tuple[str, dict[str, Any]]]:
    """The examples of what is published."""
    made = examples()
    return [
        (contract.name, example.payload)
        for contract in CONTRACTS
        if contract.topic.direction is Direction.OUT
        for example in made[contract.name]
    ]


def test_another_validator_comes_to_the_same_verdicts(tmp_path: Path) -> None:
    pairs = [*documents(), *facts()]
    lines = tmp_path / "documents.jsonl"
    lines.write_text(
        "".join(f"{json.dumps([name, json.dumps(each)])}\n" for name, each in pairs),
        encoding="utf-8",
    )
    done = subprocess.run(
        ["node", "fit.mjs", CONTRACT / "schemas", lines],  # noqa: S607  whichever is installed
        cwd=installed(ROOT / "tests" / "node"),
        capture_output=True,
        text=True,
        check=True,
    )
    ours = {name: Draft202012Validator(schema) for name, schema in all_schemas().items()}
    expected = [ours[name].is_valid(each) for name, each in pairs]
    assert {*expected} == {True, False}
    theirs = json.loads(done.stdout)
    differing = [
        pair for pair, one, other in zip(pairs, expected, theirs, strict=True) if one != other
    ]
    assert differing == []
