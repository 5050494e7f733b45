"""The parts of README.md and docs/ that are made from the code: `python -m tests.generated_docs`.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`, and nobody edits it by hand.
"""

import json
import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from consumer import contract_examples, contract_files
from consumer.contract_story import REQUEST
from consumer.settings import setting_docs
from consumer.variables import table
from handlers.life import diagram
from schemas.contract_tables import contract_tables, fields_table, topics_table
from schemas.ticket_requested import TicketRequested

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "docs" / "contract"
PAGES = (ROOT / "README.md", ROOT / "docs" / "contract.md")


def example_request() -> str:
    return _json_block(json.dumps(REQUEST))


def example_fact() -> str:
    """What becomes of the example, by the code that decides it."""
    return _json_block(contract_examples.example_fact())


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


def whole_files() -> dict[Path, str]:
    """The files that are written as wholes: those of the contract."""
    made = contract_files.files(version("isp-ticketing"))
    return {CONTRACT / name: text for name, text in made.items()}


def main() -> None:
    for path, text in whole_files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in PAGES:
        path.write_text(written_again(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
