"""docs/calendars.md holds what it shows: the calendar is valid, and the answers are the answers."""

import json
import re

import pytest

from consumer.policy_file import read_document
from consumer.sla_lines import answer, due, elapsed
from schemas.policy import Policy
from schemas.policy_check import judge
from tests.generated_docs import ROOT

PAGE = (ROOT / "docs" / "calendars.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return [str(found) for found in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)]


def test_the_calendar_that_is_shown_is_one() -> None:
    (example,) = blocks("yaml")
    document = read_document(example.encode()).value
    judged = judge({"calendars": {"office": document}})
    assert isinstance(judged, Policy), judged
    kept = judged.calendars["office"].model_dump(mode="json", exclude_defaults=True)
    assert kept == document


@pytest.mark.parametrize("block", blocks("json"))
def test_the_answers_that_are_shown_are_the_answers(block: str) -> None:
    question, shown = block.strip().split("\n")
    asked = elapsed if "stop" in json.loads(question) else due
    assert answer(asked, question.encode()) == json.loads(shown)
