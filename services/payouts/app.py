"""The payouts service put together."""

from collections.abc import Callable, Sequence

from libs.common.contracts.catalog import EVENTS
from libs.common.contracts.envelope import REPLY_TYPE
from libs.common.messaging.batch import Schema, Work
from libs.common.messaging.worker import Loop, Parts, Service
from libs.common.messaging.write_path import Prepare
from services.payouts.clients.destinations import Destinations
from services.payouts.clients.signer import Signer, SignerClient
from services.payouts.entrypoints.mover import moving
from services.payouts.entrypoints.sweeper import sweep
from services.payouts.handlers import (
    cancel_withdrawal,
    conclude_withdrawal,
    note_user,
    read_withdrawals,
    readers,
    refresh_withdrawal,
    settle_withdrawal,
)
from services.payouts.handlers.ask_for_keys import AddressBook
from services.payouts.handlers.create_wallet import CreateWallet
from services.payouts.handlers.create_withdrawal import CreateWithdrawals
from services.payouts.handlers.look_at_destinations import DestinationBook
from services.payouts.settings import PayoutsSettings
from services.payouts.store import withdrawals
from services.payouts.store.rows import LOCK_ORDER


def build(settings: PayoutsSettings, signer: Signer | None = None, *, idle_seconds: float = 0.5) -> Service:
    """Name what the service obeys and answers; with a signer it also pays."""
    minter = SignerClient(settings.signer_socket)
    book = AddressBook(minter, settings.network)
    destinations = DestinationBook(Destinations(settings.horizon_url, settings.usdc_issuer))
    return Service(
        name="payouts",
        schema=Schema(tables=(*LOCK_ORDER, *withdrawals.LOCK_ORDER)),
        use_cases={
            **{name: note_user for name in EVENTS if name.startswith("user.")},
            "user.created": CreateWallet(settings.network, book.addresses),
            "CreateWithdrawal": CreateWithdrawals(unable=destinations.unable),
            "CancelWithdrawal": cancel_withdrawal,
            "RefreshWithdrawal": refresh_withdrawal,
            "ConcludeWithdrawal": conclude_withdrawal,
            REPLY_TYPE: settle_withdrawal,
        },
        readers={
            "GetWallet": readers.get_wallet,
            "GetDepositAddress": readers.get_deposit_address,
            "GetWithdrawal": read_withdrawals.get_withdrawal,
            "ListWithdrawals": read_withdrawals.list_withdrawals,
        },
        prepare=_both(book.look_up, destinations.look_up),
        loops=(sweep, moving(minter, settings.network), *_payers(settings, signer, idle_seconds)),
    )


def _both(first: Prepare, second: Prepare) -> Callable[[Parts], Prepare]:
    """Do two things before each transaction."""

    async def prepare(works: Sequence[Work]) -> None:
        await first(works)
        await second(works)

    return lambda _: prepare


def _payers(settings: PayoutsSettings, signer: Signer | None, idle_seconds: float) -> tuple[Loop, ...]:
    """Make the loop that pays, if it can; only then Stellar's library is loaded, which costs 57 MB a process."""
    if signer is None:
        return ()
    from services.payouts.entrypoints.payer import paying  # noqa: PLC0415 - see above

    return (paying(settings, signer, idle_seconds=idle_seconds),)
