"""docs/workflows.md shows nothing but code that the tests run, and programs that there are."""

import importlib.util
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PAGE = (CHECKOUT / "docs" / "workflows.md").read_text()
BLOCKS = re.findall(r"<!-- (\S+) -->\n```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("path", "block"), BLOCKS)
def test_a_code_block_is_in_the_program_that_it_names(path: str, block: str) -> None:
    assert block in (CHECKOUT / path).read_text()


def test_every_code_block_names_its_program() -> None:
    assert PAGE.count("```python") == len(BLOCKS) > 0


def test_every_program_that_is_named_can_be_run() -> None:
    for module in re.findall(r"python -m ([\w.]+)", PAGE):
        assert importlib.util.find_spec(module) is not None


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (CHECKOUT / "docs" / target).exists(), target
