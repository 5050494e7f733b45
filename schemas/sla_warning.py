"""`sla.warning`: part of a target's time is used up."""

from typing import Annotated

from pydantic import Field

from schemas.sla_breached import SlaBreached


class SlaWarning(SlaBreached):
    """Ahead of a breach, by the share of the target that has passed."""

    threshold_percent: Annotated[
        int, Field(strict=True, ge=1, le=100, description="an integer from 1 to 100")
    ]
