"""The last table of a chaos run, in docs/reliability.md between two marks."""

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.chaos.table import Row, as_markdown

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN: Final = "<!-- chaos: written by `python -m tests.chaos --write` -->\n"
END: Final = "<!-- end of chaos -->\n"


def write_page(rows: Sequence[Row], *, seed: int, seconds: float) -> None:
    """Put the table where the last one stood."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    today = datetime.now(UTC).date().isoformat()
    line = f"{today}, commit {commit()}, seed {seed}, {seconds / 60:.0f} minutes:\n"
    new = f"{head}{BEGIN}\n{line}\n{as_markdown(rows)}\n\n{END}{tail}"
    PAGE.write_text(new, encoding="utf-8")


def commit() -> str:
    """The commit that is checked out."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607  the one on the path
        cwd=PAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
