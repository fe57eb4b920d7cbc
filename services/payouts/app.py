"""The payouts service put together."""

import asyncio
from collections.abc import Callable, Sequence

from libs.common.contracts.catalog import EVENTS
from libs.common.contracts.envelope import REPLY_TYPE
from libs.common.messaging.batch import Schema, Work
from libs.common.messaging.worker import Loop, Parts, Service
from libs.common.messaging.write_path import Prepare
from services.payouts.clients.destinations import Destinations
from services.payouts.clients.signer import Signer, SignerClient
from services.payouts.entrypoints.account_scanner import scanning_accounts
from services.payouts.entrypoints.due import working_when_due
from services.payouts.entrypoints.mover import moving
from services.payouts.entrypoints.reconciler import reconciling
from services.payouts.entrypoints.scanner import scanning
from services.payouts.entrypoints.sweeper import sweep
from services.payouts.entrypoints.treasury import watching
from services.payouts.handlers import (
    approve_withdrawal,
    cancel_withdrawal,
    conclude_withdrawal,
    enrol_second_factor,
    factor_views,
    note_user,
    read_withdrawals,
    readers,
    refresh_withdrawal,
    remove_second_factor,
    settle,
)
from services.payouts.handlers.ask_for_accounts import OwnAccounts
from services.payouts.handlers.ask_for_keys import AddressBook
from services.payouts.handlers.confirm_second_factor import ConfirmSecondFactors
from services.payouts.handlers.count_flags import count_flags
from services.payouts.handlers.create_wallet import CreateWallet
from services.payouts.handlers.create_withdrawal import CreateWithdrawals
from services.payouts.handlers.know_parties import PartyBook
from services.payouts.handlers.look_at_destinations import DestinationBook
from services.payouts.handlers.match_codes import CodeBook
from services.payouts.handlers.readers import WalletReaders
from services.payouts.settings import PayoutsSettings
from services.payouts.store import deposits, withdrawals
from services.payouts.store.rows import LOCK_ORDER
from services.payouts.store.second_factors import FACTORS


def build(settings: PayoutsSettings, signer: Signer | None = None, *, idle_seconds: float = 0.5) -> Service:
    """Name what the service obeys and answers; `signer` signs in the place of the one at the socket."""
    minter = SignerClient(settings.signer_socket)
    signer = signer or minter
    own = OwnAccounts(signer)
    shared = own if settings.wallets == "pooled" else None
    book = AddressBook(minter, settings.network, shared=shared)
    wallets = WalletReaders(
        settings.wallets, own, settings.usdc_issuer, settings.network_passphrase, tells_scan=settings.scan == "account"
    )
    others = Destinations(settings.horizon_url, settings.usdc_issuer)
    destinations = DestinationBook(others)
    parties, codes = PartyBook(), CodeBook(minter)
    looking = scanning if settings.scan == "network" else scanning_accounts
    return Service(
        name="payouts",
        schema=Schema(tables=(*LOCK_ORDER, FACTORS, *withdrawals.LOCK_ORDER, deposits.DEPOSITS), committed=count_flags),
        use_cases={
            **{name: note_user for name in EVENTS if name.startswith("user.")},
            "user.created": CreateWallet(settings.network, book.addresses, shared),
            "CreateWithdrawal": CreateWithdrawals(
                own.addresses, destinations.seen, parties.inactive, settings.limits, codes.steps
            ),
            "EnrolSecondFactor": enrol_second_factor,
            "ConfirmSecondFactor": ConfirmSecondFactors(codes.steps),
            "RemoveSecondFactor": remove_second_factor,
            "ApproveWithdrawal": approve_withdrawal,
            "CancelWithdrawal": cancel_withdrawal,
            "RefreshWithdrawal": refresh_withdrawal,
            "ConcludeWithdrawal": conclude_withdrawal,
            REPLY_TYPE: settle,
        },
        readers={
            "GetWallet": wallets.get_wallet,
            "GetDepositAddress": wallets.get_deposit_address,
            "ListWalletTransactions": readers.list_transactions,
            "GetSecondFactor": factor_views.get_factor,
            "RevealSecondFactor": factor_views.RevealFactors(minter),
            "GetWithdrawal": read_withdrawals.get_withdrawal,
            "ListWithdrawals": read_withdrawals.list_withdrawals,
        },
        prepare=_before(book, own, parties, destinations, codes),
        loops=(
            sweep,
            watching(settings, own),
            moving(minter, settings.network),
            working_when_due(settings, signer, idle_seconds=idle_seconds),
            looking(settings, signer, idle_seconds=idle_seconds),
            reconciling(settings, signer, idle_seconds=idle_seconds),
            _until_closed(others),
        ),
    )


def _until_closed(destinations: Destinations) -> Loop:
    """Hang up when the process ends."""

    async def run(_: Parts) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await destinations.close()

    return run


def _before(
    keys: AddressBook, own: OwnAccounts, parties: PartyBook, destinations: DestinationBook, codes: CodeBook
) -> Callable[[Parts], Prepare]:
    """Ask before each transaction what must not be asked inside one."""

    def with_parts(parts: Parts) -> Prepare:
        async def prepare(works: Sequence[Work]) -> None:
            await keys.look_up(works)
            await own.look_up(works)
            await codes.look_up(parts, works)
            await asyncio.gather(parties.look_up(parts, works), destinations.look_up(works))

        return prepare

    return with_parts
