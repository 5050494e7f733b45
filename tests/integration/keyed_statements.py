"""Which tables a statement reaches without their tenant, as far as its words tell.

An inserted row names its tenant, and every alias of a table that has a `tenant_id` is compared with
the tenant of the question, or by the place of a row that was found so.
"""

import re
from typing import Final

from db.tables import metadata

TENANTS_OWN: Final = {
    table.name for table in metadata.sorted_tables if "tenant_id" in table.columns
}
REACHED: Final = re.compile(
    rf'\b(FROM|JOIN|UPDATE|INTO|COPY)\s+"?({"|".join(sorted(TENANTS_OWN))})"?\b'
    r"(?:\s+(?:AS\s+)?([a-z]\w*)\b)?"
)


def astray(statement: str) -> set[str]:
    """The tables that a statement reaches without their tenant.

    The comparison is looked for between the place where an alias begins to mean the table and the
    next place where it begins to mean a table.
    """
    lost = set()
    places = list(REACHED.finditer(statement))
    for number, place in enumerate(places):
        verb, table, alias = place.groups()
        later = [each.start() for each in places[number + 1 :] if each[3] == alias]
        reach = statement[place.end() : min(later, default=len(statement))]
        if verb in {"INTO", "COPY"}:
            columns = re.search(r"\(([^)]*)\)", statement[place.start() :])
            is_keyed = columns is not None and "tenant_id" in columns[1]
        else:
            is_keyed = re.search(_key(alias), reach) is not None
        if not is_keyed:
            lost.add(table)
    return lost


def _key(alias: str | None) -> str:
    if alias is None:
        return r"(?<![.\w])tenant_id = |\(tenant_id, [^)]*\) IN|(?<![.\w])ctid = ANY"
    return rf"\b{alias}\.tenant_id = |\b{alias}\.ctid = "
