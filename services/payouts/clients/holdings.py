"""What accounts hold by a Horizon's word: all that a sponsor pays the reserves of, a page at a time, and others one by one."""

from collections.abc import Collection
from typing import Final, TypeVar

import httpx
import msgspec

from libs.common.kernel.money import AmountError, Currency, parse_share
from services.payouts.clients.connections import connected_to
from services.payouts.clients.history import PAGE, HistorySilentError
from services.payouts.domain.treasury import BASE_RESERVE

T = TypeVar("T")


class Holding(msgspec.Struct, frozen=True):
    """What an account holds in stroops, by currency, and the ledger in which it last changed."""

    account: str
    amounts: dict[Currency, int]
    modified: int
    ledger: int
    """As of which this is said; 0 where that is not said."""
    sequence: int
    """The number of its last transaction."""
    reserved: int
    """Stroops of lumens that it must keep."""

    def spendable(self, currency: Currency) -> int:
        """Tell what it can pay."""
        held = self.amounts.get(currency, 0)
        return max(0, held - self.reserved) if currency == "XLM" else held


class _Balance(msgspec.Struct):
    asset_type: str
    balance: str
    asset_code: str = ""
    asset_issuer: str = ""
    last_modified_ledger: int = 0


class _Account(msgspec.Struct):
    account_id: str
    balances: list[_Balance]
    sequence: str
    subentry_count: int = 0
    num_sponsoring: int = 0
    num_sponsored: int = 0
    last_modified_ledger: int = 0


class _Records(msgspec.Struct):
    records: list[_Account]


class _Page(msgspec.Struct):
    embedded: _Records = msgspec.field(name="_embedded")


_account: Final = msgspec.json.Decoder(_Account)
_page: Final = msgspec.json.Decoder(_Page)


class Holdings:
    """A Horizon server; closed with `close`."""

    def __init__(self, url: str, usdc: tuple[str, str]) -> None:
        """Ask here; the dollar is this (code, issuer)."""
        self._http = connected_to(url)
        self._usdc = usdc

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def of(self, sponsor: str, accounts: Collection[str]) -> list[Holding]:
        """Return what these accounts hold; those that are not there hold nothing.

        Raises:
            HistorySilentError: Horizon does not say.
        """
        wanted, found = set(accounts), list[Holding]()
        cursor = ""
        while wanted:
            page = await self.page(sponsor, after=cursor)
            found += [each for each in page if each.account in wanted]
            wanted -= {each.account for each in page}
            if len(page) < PAGE:
                break
            cursor = page[-1].account
        for account in sorted(wanted):
            shown = await self.at(account)
            if shown is not None:
                found.append(shown)
        return found

    async def page(self, sponsor: str, *, after: str) -> list[Holding]:
        """Return a page of the accounts of which a sponsor pays reserves, by address.

        Raises:
            HistorySilentError: Horizon does not say.
        """
        answer = await self._get("/accounts", sponsor=sponsor, limit=str(PAGE), cursor=after)
        if answer is None:
            return []
        return [self._holding(record, _as_of(answer)) for record in _read(_page, answer.content).embedded.records]

    async def at(self, account: str) -> Holding | None:
        """Return what one account holds; None when Horizon does not show it.

        Raises:
            HistorySilentError: Horizon does not say.
        """
        answer = await self._get(f"/accounts/{account}")
        return None if answer is None else self._holding(_read(_account, answer.content), _as_of(answer))

    def _holding(self, record: _Account, ledger: int) -> Holding:
        amounts: dict[Currency, int] = {}
        try:
            for line in record.balances:
                if line.asset_type == "native":
                    amounts["XLM"] = parse_share(line.balance)
                elif (line.asset_code, line.asset_issuer) == self._usdc:
                    amounts["USD"] = parse_share(line.balance)
            modified = max(record.last_modified_ledger, *(line.last_modified_ledger for line in record.balances))
            entries = 2 + record.subentry_count + record.num_sponsoring - record.num_sponsored
            return Holding(record.account_id, amounts, modified, ledger, int(record.sequence), entries * BASE_RESERVE)
        except (AmountError, ValueError) as error:
            raise HistorySilentError(f"{record.account_id}: {error}") from error

    async def _get(self, path: str, **query: str) -> httpx.Response | None:
        try:
            answer = await self._http.get(path, params={name: value for name, value in query.items() if value})
        except httpx.HTTPError as error:
            raise HistorySilentError(f"{path}: {error!r}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code != httpx.codes.OK:
            raise HistorySilentError(f"{path}: {answer.status_code}")
        return answer


def _as_of(answer: httpx.Response) -> int:
    text = answer.headers.get("Latest-Ledger", "0")
    return int(text) if text.isascii() and text.isdecimal() else 0


def _read(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise HistorySilentError(f"no account: {error}") from error
