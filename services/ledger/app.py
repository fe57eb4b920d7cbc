"""The ledger put together."""

from libs.common.messaging.batch import Schema
from libs.common.messaging.worker import Service
from services.ledger.handlers import open_user, post_journal, read_history, readers, update_user
from services.ledger.store.batches import seal
from services.ledger.store.rows import LOCK_ORDER


def build() -> Service:
    """Name what the ledger obeys and answers."""
    return Service(
        name="ledger",
        schema=Schema(tables=LOCK_ORDER, seal=seal),
        use_cases={"OpenUser": open_user, "UpdateUser": update_user, "PostJournal": post_journal},
        readers={
            "GetUser": readers.get_user,
            "GetUsers": readers.get_users,
            "ListUsers": readers.list_users,
            "GetBalance": readers.get_balance,
            "GetExternalBalance": readers.get_external_balance,
            "ListEntries": read_history.list_entries,
        },
    )
