"""The parts of README.md and docs/ that are made from the code: `python -m tests.generated_docs`.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`, and nobody edits it by hand.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from consumer.settings import setting_docs
from consumer.variables import table
from handlers.entries import TopicRole, read
from handlers.life import diagram
from handlers.outcomes import Known, Request, Rules
from handlers.record import StoredRecord
from handlers.requests import decide
from handlers.rows import rows_of
from schemas.contract_tables import contract_tables, fields_table, topics_table
from schemas.ticket_requested import TicketRequested

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "contract.md")

REQUEST: Mapping[str, object] = {
    "request_id": "portal-4711",
    "tenant_id": "alpine-net",
    "customer_id": "0b7f1d0e-6f0a-4c55-9f2c-5d1f6f1f0a01",
    "title": "No internet since this morning",
    "description": "The modem's WAN light is off; a restart changed nothing.",
    "priority": "urgent",
    "ticket_type": "outage_report",
    "assigned_team": "network_ops",
    "affected_services": ["internet", "voip"],
}
DECIDED_AT = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)


def example_request() -> str:
    return _json_block(json.dumps(REQUEST))


def example_fact() -> str:
    """What becomes of the example, by the code that decides it."""
    value = json.dumps(REQUEST).encode()
    record = StoredRecord("ticket.requested", 0, 0, 0, None, value, ())
    request = read(record, TopicRole("request"), len(value))
    if not isinstance(request, Request):
        raise TypeError(f"the example is not valid: {request}")
    known = Known(now=DECIDED_AT, outbox_id=1)
    written = rows_of(decide([request], known, Rules()), known)
    return _json_block(written.facts[0][-1])


def _json_block(text: str) -> str:
    return f"```json\n{json.dumps(json.loads(text), indent=2, ensure_ascii=False)}\n```"


PARTS: Mapping[str, Callable[[], str]] = {
    "topics": topics_table,
    "ticket.requested": lambda: fields_table(TicketRequested),
    "request": example_request,
    "fact": example_fact,
    "contract": contract_tables,
    "life": lambda: f"```mermaid\n{diagram()}\n```",
    "settings": lambda: table(setting_docs()),
}
PART = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def written_again(page: str) -> str:
    """The page with every generated part as the code has it now."""
    return PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]().strip()}\n\n{found[3]}", page)


def main() -> None:
    for path in PAGES:
        path.write_text(written_again(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
