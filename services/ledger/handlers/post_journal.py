"""Record a journal: every posting or none, no floored account below zero, entries and events with it."""

from collections.abc import Iterator

import msgspec

from libs.common.contracts.accounts import available, reserved
from libs.common.contracts.commands.ledger import PostJournal
from libs.common.contracts.events.ledger import BalanceMoved
from libs.common.contracts.replies.ledger import BalanceAfter, JournalPosted
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal, check
from libs.common.kernel.money import MAX_STROOPS, format_amount
from libs.common.messaging.use_cases import Announce, Context, Decision, refuse
from libs.common.persistence.state import Needs, State
from services.ledger.domain.addresses import Address
from services.ledger.domain.journals import Leg, digest_of, legs_of
from services.ledger.domain.kinds import EVENT, NEEDS_ACTIVE_USERS
from services.ledger.handlers.views import no_user
from services.ledger.store.rows import ACCOUNTS, ENTRIES, JOURNALS, USERS_SEEN, AccountRow, EntryRow, JournalRow

_OPENED_ON_USE = frozenset({"escrow", "clearing", "fees", "adjustments", "stellar", "airtm"})
"""Accounts that come into being with their first journal; a user's own are opened with the user."""


def needs(message: PostJournal, context: Context) -> Needs:
    """Name the accounts it touches, each user's pair of accounts that its events tell of, and everybody concerned."""
    legs = legs_of(message)
    if isinstance(legs, Refusal):
        return Needs()
    tenant, currency = context.tenant, message.currency
    wanted = {f"{address.text}:{currency}" for address in _addresses(legs)}
    users = {address.owner_id for address in _addresses(legs) if address.purpose in ("available", "reserved")}
    for user_id in users:
        wanted.add(f"{available(user_id)}:{currency}")
        wanted.add(f"{reserved(user_id)}:{currency}")
    new = tuple(
        (ACCOUNTS, _opened(context, message, leg, address))
        for leg in legs
        for address in (leg.source, leg.destination)
        if address.purpose in _OPENED_ON_USE
    )
    rows = [(ACCOUNTS, (tenant, account_id)) for account_id in wanted]
    concerned = users.union(message.counterparties)
    return Needs(rows=(*rows, *((USERS_SEEN, (tenant, user_id)) for user_id in concerned)), new=new)


def decide(state: State, message: PostJournal, context: Context) -> Decision:
    """Post it, or say which rule forbids it."""
    legs = legs_of(message)
    if isinstance(legs, Refusal):
        return Decision(reply=legs)
    refusal = _check_users(state, message, context, legs)
    if refusal is not None:
        return refusal
    accounts: dict[str, AccountRow] = {}
    entries: list[EntryRow] = []
    for leg in legs:
        for address, amount in ((leg.source, -leg.amount), (leg.destination, leg.amount)):
            account = accounts.get(address.text) or _account(state, context, address.text, message.currency)
            balance = account.balance + amount
            if account.floored and balance < 0:
                return _too_little(account, leg, message)
            if abs(balance) > MAX_STROOPS:
                fields = [{"field": "amount", "message": "the account can't hold that much"}]
                return refuse("VALIDATION_ERROR", "The account can't hold that much", fields=fields, account=address.text)
            accounts[address.text] = _moved(account, balance)
            entries.append(_entry(context, account, amount, balance))
    events = tuple(_events(state, message, context, legs, accounts))
    heading = (
        context.tenant,
        context.message_id,
        message.kind,
        message.currency,
        message.subject or None,
        message.description or None,
    )
    lines = [(entry.account_id, entry.version, entry.amount, entry.balance_after) for entry in entries]
    journal = JournalRow(*heading, context.batch_id, context.now, digest_of(heading, context.now, lines))
    rows = [(ACCOUNTS, account) for account in accounts.values()] + [(ENTRIES, entry) for entry in entries]
    return Decision(
        reply=JournalPosted(context.message_id, wire_time(context.now), _left(events)),
        rows=((JOURNALS, journal), *rows),
        events=events,
    )


def _left(events: tuple[Announce, ...]) -> tuple[BalanceAfter, ...]:
    """Say what each user was left with: the last event of each tells it."""
    moved = (event.data for event in events)
    left = {
        data.user_id: BalanceAfter(data.user_id, data.available, data.reserved)
        for data in moved
        if isinstance(data, BalanceMoved)
    }
    return tuple(left.values())


def _addresses(legs: list[Leg]) -> Iterator[Address]:
    for leg in legs:
        yield leg.source
        yield leg.destination


def _opened(context: Context, message: PostJournal, leg: Leg, address: Address) -> AccountRow:
    holder = leg.source.owner_id if address.purpose in ("escrow", "clearing") and address is leg.destination else ""
    account_id = f"{address.text}:{message.currency}"
    return AccountRow(
        context.tenant, account_id, address.purpose, message.currency, holder, address.is_floored, 0, 0, 0, is_open=False
    )


def _account(state: State, context: Context, text: str, currency: str) -> AccountRow:
    account = state.get(ACCOUNTS, (context.tenant, f"{text}:{currency}"))
    check(account is not None, f"account {text}:{currency} was checked and is not there")
    assert account is not None  # noqa: S101 - told to the type checker; `check` has made sure
    return account


def _check_users(state: State, message: PostJournal, context: Context, legs: list[Leg]) -> Decision | None:
    holders = [address.owner_id for address in _addresses(legs) if address.purpose in ("available", "reserved")]
    for user_id in (*holders, *message.counterparties):
        user = state.get(USERS_SEEN, (context.tenant, user_id))
        if user is None:
            return Decision(reply=no_user(user_id))
        if message.kind in NEEDS_ACTIVE_USERS and user.status != "ACTIVE":
            return refuse("USER_INACTIVE", "The user is not active", user_id=user_id, status=user.status)
    return None


def _too_little(account: AccountRow, leg: Leg, message: PostJournal) -> Decision:
    return refuse(
        "INSUFFICIENT_FUNDS",
        "Available balance is less than requested amount",
        available=format_amount(account.balance),
        requested=format_amount(leg.amount),
        currency=message.currency,
    )


def _moved(account: AccountRow, balance: int) -> AccountRow:
    is_open = account.is_open if account.purpose != "escrow" else balance != 0
    return AccountRow(
        account.tenant,
        account.id,
        account.purpose,
        account.currency,
        account.holder_id,
        account.floored,
        balance,
        account.version + 1,
        account.sequence,
        is_open,
    )


def _entry(context: Context, account: AccountRow, amount: int, balance: int) -> EntryRow:
    return EntryRow(context.tenant, account.id, account.version + 1, context.message_id, amount, balance, context.now)


def _events(
    state: State, message: PostJournal, context: Context, legs: list[Leg], accounts: dict[str, AccountRow]
) -> Iterator[Announce]:
    """Announce each user's balance as this journal left it; bumps the sequence on the available account."""
    for leg in legs:
        kind = EVENT.get((leg.source.purpose, leg.destination.purpose))
        if kind is None:
            continue
        user_id = leg.destination.owner_id if leg.destination.purpose == "available" else leg.source.owner_id
        mine, kept = available(user_id), reserved(user_id)
        spendable = accounts.get(mine) or _account(state, context, mine, message.currency)
        put_by = accounts.get(kept) or _account(state, context, kept, message.currency)
        numbered = msgspec.structs.replace(spendable, sequence=spendable.sequence + 1)
        accounts[mine] = numbered
        yield Announce(
            kind,
            f"balance:{user_id}:{message.currency}",
            numbered.sequence,
            BalanceMoved(
                user_id=user_id,
                amount=format_amount(leg.amount),
                currency=message.currency,
                source=message.kind,
                subject=message.subject or None,
                journal_id=context.message_id,
                available=format_amount(numbered.balance),
                reserved=format_amount(put_by.balance),
            ),
            user_ids=(user_id,),
        )
