"""docs/sla.md holds what it shows: the fact is one, its words are ours, and its tests exist."""

import ast
import json
import re
from datetime import datetime, timedelta

import pytest

from handlers.sla.clock import ClockState
from schemas.sla_breach_annulled import SlaBreachAnnulled
from schemas.sla_breached import SlaBreached
from schemas.sla_warning import SlaWarning
from schemas.vocabulary import PauseReason, Reopening, SlaMetric
from tests.generated_docs import ROOT

PAGE = (ROOT / "docs" / "sla.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
LINKS = re.findall(r"\[`(test_\w+)`\]\(\.\./([\w/]+\.py)\)", PAGE)


def rows(heading: str) -> list[str]:
    """The first cells of a section's tables."""
    (section,) = re.findall(rf"^#+ {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return [
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]


def test_the_fact_that_is_shown_is_one_and_its_figures_agree() -> None:
    fact = SlaBreached.model_validate_json(EXAMPLE)
    shown = json.loads(EXAMPLE)
    assert shown.keys() == SlaBreached.model_fields.keys()
    due_at = datetime.fromisoformat(fact.due_at)
    lag = datetime.fromisoformat(fact.detected_at) - due_at
    assert lag == timedelta(milliseconds=fact.detection_lag_ms)
    assert lag.total_seconds() == pytest.approx(fact.overrun_seconds)
    assert fact.elapsed_seconds == pytest.approx(fact.target_seconds + fact.overrun_seconds)
    opened = due_at - timedelta(seconds=fact.target_seconds + fact.paused_seconds)
    assert f"opened at {opened:%H:%M}," in PAGE


def test_the_words_that_are_explained_are_those_that_there_are() -> None:
    assert set(rows("Clocks")) == {*SlaMetric, *ClockState}
    assert rows("Pauses") == [*PauseReason]
    assert set(re.findall(r"^- `(\w+)`: ", PAGE, re.MULTILINE)) == {*Reopening}


def test_the_fields_that_are_explained_are_those_of_the_facts() -> None:
    known = {
        name
        for model in (SlaWarning, SlaBreached, SlaBreachAnnulled)
        for name in model.model_fields
    }
    obvious = {"ticket_id", "ticket_number", "tenant_id", "metric", "sequence"}
    assert set(rows("Facts")) == known - obvious


@pytest.mark.parametrize(("name", "path"), LINKS)
def test_what_keeps_a_failure_out_is_shown_by_a_test_that_exists(name: str, path: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {getattr(node, "name", None) for node in tree.body}
