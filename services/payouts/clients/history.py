"""Reads a Horizon's ledgers and transactions as they are encoded; what it says about them in its own words is not asked for.

Nothing of Stellar's library is needed here, which would cost each process 57 MB.
"""

from datetime import datetime
from typing import Final, Generic, TypeVar

import httpx
import msgspec

from libs.common.kernel.errors import TransientError
from services.payouts.clients.connections import connected_to
from services.payouts.domain.ledger_chain import Header, Shown, UnprovedError, from_base64, read_header

PAGE: Final = 200
"""Records that Horizon gives at most at once."""
T = TypeVar("T")


class HistorySilentError(TransientError):
    """Horizon did not answer, or not in a way that can be read. It says nothing about the chain."""


class _Root(msgspec.Struct):
    network_passphrase: str
    history_latest_ledger: int
    history_elder_ledger: int = 1


class _Ledger(msgspec.Struct):
    header_xdr: str


class _Transaction(msgspec.Struct):
    hash: str
    ledger: int
    paging_token: str
    envelope_xdr: str
    result_xdr: str
    created_at: datetime


class _Records(msgspec.Struct, Generic[T]):
    records: list[T]


class _Page(msgspec.Struct, Generic[T]):
    embedded: _Records[T] = msgspec.field(name="_embedded")


class Line(msgspec.Struct, frozen=True):
    """A transaction on a page: in which ledger it is said to be, and where the next page begins."""

    ledger: int
    token: int
    shown: Shown
    closed_at: int
    """Unix seconds, by Horizon's word."""


class Reach(msgspec.Struct, frozen=True):
    """Which network a Horizon serves, and from which to which ledger it knows it."""

    passphrase: str
    first: int
    last: int


_root: Final = msgspec.json.Decoder(_Root)
_ledger: Final = msgspec.json.Decoder(_Ledger)
_ledgers: Final = msgspec.json.Decoder(_Page[_Ledger])
_transactions: Final = msgspec.json.Decoder(_Page[_Transaction])


class History:
    """A Horizon server; closed with `close`. All of it may raise HistorySilentError: it does not say."""

    def __init__(self, url: str) -> None:
        """Ask here; nothing is opened yet."""
        self._http = connected_to(url)

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def reach(self) -> Reach:
        """Tell what it serves."""
        root = await self._get("/", _root)
        return Reach(root.network_passphrase, root.history_elder_ledger, root.history_latest_ledger)

    async def header(self, ledger: int) -> Header:
        """Read one ledger's header."""
        return _header(await self._get(f"/ledgers/{ledger}", _ledger))

    async def headers(self, *, after: int) -> list[Header]:
        """Read the headers of the ledgers behind one."""
        page = await self._get("/ledgers", _ledgers, cursor=str(after << 32), order="asc", limit=str(PAGE))
        return [_header(record) for record in page.embedded.records]

    async def transactions(self, *, after: int, account: str = "") -> list[Line]:
        """Read what is behind a place, a page of it: of everybody, or of an account."""
        path = f"/accounts/{account}/transactions" if account else "/transactions"
        query = {"cursor": str(after), "order": "asc", "limit": str(PAGE), "include_failed": "true"}
        page = await self._get(path, _transactions, **query)
        return [_line(record) for record in page.embedded.records]

    async def _get(self, path: str, decoder: msgspec.json.Decoder[T], **query: str) -> T:
        try:
            answer = await self._http.get(path, params=query)
        except httpx.HTTPError as error:
            raise HistorySilentError(f"{path}: {error!r}") from error
        if answer.status_code != httpx.codes.OK:
            raise HistorySilentError(f"{path}: {answer.status_code}")
        try:
            return decoder.decode(answer.content)
        except msgspec.DecodeError as error:
            raise HistorySilentError(f"{path}: {error}") from error


def _header(record: _Ledger) -> Header:
    return read_header(from_base64(record.header_xdr))


def _line(record: _Transaction) -> Line:
    try:
        digest, token = bytes.fromhex(record.hash), int(record.paging_token)
    except ValueError as error:
        raise UnprovedError(f"no transaction: {error}") from error
    shown = Shown(digest, from_base64(record.envelope_xdr), from_base64(record.result_xdr))
    return Line(record.ledger, token, shown, int(record.created_at.timestamp()))
