"""What a batch is handled under, from the settings: the same for whoever hands over records."""

from datetime import timedelta

from consumer.setting_types import CustomerCheck
from consumer.settings import Settings
from handlers.batch import Setting
from handlers.outcomes import Rules
from handlers.write import COPY_FROM, NO_COPY


def batch_setting(settings: Settings, *, may_copy: bool) -> Setting:
    """The operator's rules. may_copy: whether the role in use may COPY (db.grants.may_copy)."""
    rules = Rules(
        tenants=settings.tenants,
        customers_required=settings.customer_check is CustomerCheck.REQUIRED,
        grace_seconds=settings.unknown_customer_grace_seconds,
    )
    return Setting(
        rules=rules,
        group_id=settings.group_id,
        copy_from=COPY_FROM if may_copy else NO_COPY,
    )


def letters_kept(settings: Settings) -> timedelta | None:
    """How long dead letters are kept once somebody has decided about them; None for ever."""
    days = settings.dlq_retention_days
    return None if days is None else timedelta(days=days)
