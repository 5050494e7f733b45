"""Rights are decided for every table: a new one can't be forgotten."""

from db.grants import quoted
from db.rights import SERVICE_RIGHTS, TENANT_RIGHTS, TENANT_TABLES, VERSION_TABLE
from db.tables import metadata


def test_the_service_has_rights_on_every_table() -> None:
    assert set(SERVICE_RIGHTS) == {*metadata.tables, VERSION_TABLE}


def test_every_table_that_names_a_tenant_is_under_row_level_security() -> None:
    with_tenant = {name for name, table in metadata.tables.items() if "tenant_id" in table.columns}
    assert set(TENANT_TABLES) == with_tenant


def test_a_tenant_reads_only_tables_under_row_level_security() -> None:
    readable = {table for table, rights in TENANT_RIGHTS.items() if "SELECT" in rights}
    assert readable <= set(TENANT_TABLES)


def test_nobody_is_granted_a_change_to_facts() -> None:
    for rights in (SERVICE_RIGHTS, TENANT_RIGHTS):
        assert rights["ticket_facts"] == "SELECT, INSERT"


def test_an_identifier_cannot_end_its_quotes() -> None:
    assert quoted('a"; DROP TABLE tickets; --') == '"a""; DROP TABLE tickets; --"'
