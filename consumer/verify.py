"""`verify`: read a window of topics and tables, and say whether the promise held.

The one checker for operators, scenarios, simulation and the demo. It joins no group, moves no
offset and writes nothing. The facts of the window are kept in memory (docs/verify.md says how much
that takes); everything else passes through.
"""

from datetime import datetime

from consumer import clients
from consumer.audit import EVER, NEVER, Report
from consumer.audited_topics import find_topics
from consumer.inspection import Inspection
from consumer.scan import started
from consumer.settings import Settings
from consumer.watching import Unwatched, Watch
from consumer.window import Window


async def verify(
    settings: Settings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    watch: Watch = Unwatched,
) -> Report:
    """Check everything, or what came in and was decided between these times.

    Records are judged up to the offsets that the service's group has committed. Raises KafkaError,
    OSError or what asyncpg raises when a server can't be read.
    """
    async with (
        started(clients.consumer(settings)) as kafka,
        started(clients.admin(settings)) as admin,
    ):
        topics = await find_topics(admin, settings)
        looked_at = Window(since or EVER, until or NEVER)
        return await Inspection(settings, kafka, admin, topics, looked_at, watch).run()
