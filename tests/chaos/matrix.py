"""All faults, in the order of the table."""

from typing import Final

from tests.chaos.broker_faults import BROKER_FAULTS
from tests.chaos.clock_faults import CLOCK_FAULTS
from tests.chaos.database_faults import DATABASE_FAULTS
from tests.chaos.fault import Fault
from tests.chaos.network_faults import NETWORK_FAULTS
from tests.chaos.process_faults import PROCESS_FAULTS
from tests.chaos.topic_faults import TOPIC_FAULTS

FAULTS: Final[tuple[Fault, ...]] = (
    *BROKER_FAULTS,
    *NETWORK_FAULTS,
    *DATABASE_FAULTS,
    *PROCESS_FAULTS,
    *TOPIC_FAULTS,
    *CLOCK_FAULTS,
)
