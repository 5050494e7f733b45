import re

import pytest

from schemas.catalogue import TOPICS
from schemas.contract_tables import (
    changes_table,
    contract_tables,
    fields_table,
    rejections_table,
    topics_table,
)
from schemas.ticket_change_requested import CHANGES
from schemas.ticket_created import TicketCreated
from schemas.ticket_requested import TicketRequested
from schemas.vocabulary import RejectionCode


def row(table: str, first: str) -> list[str]:
    """The cells of the row that begins with this name."""
    (line,) = [line for line in table.splitlines() if line.startswith(f"| `{first}` |")]
    return line.removeprefix("| ").removesuffix(" |").split(" | ")


def test_all_topics_are_listed() -> None:
    table = topics_table()
    for topic in TOPICS:
        assert row(table, topic.name)[1:3] == [topic.direction.value, topic.key]
    assert row(table, "customer.changed")[-1].startswith("compacted")


@pytest.mark.parametrize(
    ("field", "rule", "absence"),
    [
        ("title", "text of 3 to 255 characters", "required"),
        ("actor", "an object with type and id", "the origin"),
        ("attachments[].url", "an http or https URL of up to 2,048 characters", "required"),
        ("affected_services", "a list of up to 100 texts of 1 to 100 characters", "an empty list"),
        ("origin_type", "one of customer, tenant, partner, platform; in any case", "customer"),
        ("group_key", "text of 1 to 255 characters", "none"),
    ],
)
def test_a_field_stands_with_its_rule_and_its_default(field: str, rule: str, absence: str) -> None:
    assert row(fields_table(TicketRequested), field)[1:] == [rule, absence]


def test_all_fields_of_a_message_are_listed_in_their_order() -> None:
    names = re.findall(r"^\| `([^`.]+)`", fields_table(TicketRequested), re.MULTILINE)
    assert names == list(TicketRequested.model_fields)


def test_what_we_publish_says_where_it_may_be_null() -> None:
    assert row(fields_table(TicketCreated), "partner_id")[1] == "a UUID in lower case, or null"
    assert row(fields_table(TicketCreated), "title")[1] == "text"


def test_every_change_is_listed_with_what_only_it_has() -> None:
    table = changes_table()
    for kind in CHANGES:
        assert f"| `{kind}` |" in table
    assert "tenant_id" not in table
    assert "| `add_message` | `is_internal` | true or false | false |" in table


def test_every_rejection_is_listed() -> None:
    table = rejections_table()
    assert row(table, "ticket_not_found") == ["`ticket_not_found`", "Ticket {id} not found"]
    assert len(table.splitlines()) == 2 + len(RejectionCode)


def test_the_whole_contract_has_a_section_for_each_topic() -> None:
    tables = contract_tables()
    assert re.findall(r"^### `(.+)`$", tables, re.MULTILINE) == [topic.name for topic in TOPICS]
    for line in tables.splitlines():
        assert not line.startswith("|") or line.endswith(" |")
