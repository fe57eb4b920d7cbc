"""The payouts service put together."""

import os

from libs.common.contracts.catalog import EVENTS
from libs.common.messaging.batch import Schema
from libs.common.messaging.worker import Service
from libs.common.persistence.sealing import KeyRing
from services.payouts.clients.keys import minting
from services.payouts.handlers import note_user, readers
from services.payouts.handlers.create_wallet import CreateWallet
from services.payouts.settings import PayoutsSettings
from services.payouts.store.rows import LOCK_ORDER


def build(settings: PayoutsSettings) -> Service:
    """Name what the service obeys and answers.

    Raises:
        ValueError: the ring of wallet keys is malformed.
    """
    ring = KeyRing.parse(settings.wallet_keys.get_secret_value(), entropy=os.urandom)
    return Service(
        name="payouts",
        schema=Schema(tables=LOCK_ORDER),
        use_cases={
            **{name: note_user for name in EVENTS if name.startswith("user.")},
            "user.created": CreateWallet(settings.network, minting(os.urandom), ring),
        },
        readers={"GetWallet": readers.get_wallet, "GetDepositAddress": readers.get_deposit_address},
    )
