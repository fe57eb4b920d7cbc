"""Asks a Horizon. No call is repeated in here: what is not answered is the caller's to judge."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import httpx

from libs.common.kernel.errors import TransientError
from libs.common.kernel.money import UNIT
from services.payouts.clients.connections import connected_to
from services.payouts.clients.envelopes import Malformed, read_applied, read_refusal
from services.payouts.domain.slot_outcomes import ADMISSION, Applied
from services.payouts.domain.slots import Look, Told

_TAKEN: Final = ("PENDING", "DUPLICATE")
_PAGE: Final = 50


class HorizonSilentError(TransientError):
    """Horizon did not answer, or not in a way that can be read. It says nothing about the chain."""


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest ledger that this Horizon knows."""

    ledger: int
    closed_at: int
    """Unix seconds, by the network's own clock."""


class Horizon:
    """A Horizon server; closed with `close`."""

    def __init__(self, url: str) -> None:
        """Ask here; nothing is opened yet."""
        self._http = connected_to(url)

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def passphrase(self) -> str:
        """Name the network it serves.

        Raises:
            HorizonSilentError: it does not say.
        """
        _, body = await self._get("/")
        return _text(body, "network_passphrase")

    async def tip(self) -> Tip:
        """Tell the newest ledger and when it closed.

        Raises:
            HorizonSilentError: it does not say.
        """
        _, body = await self._get("/ledgers", order="desc", limit=1)
        newest = (_records(body) or [{}])[0]
        try:
            closed = datetime.fromisoformat(_text(newest, "closed_at"))
        except ValueError as error:
            raise HorizonSilentError(f"no time: {error}") from error
        return Tip(_number(newest, "sequence"), int(closed.timestamp()))

    async def look(self, account: str) -> Look:
        """Read an account's sequence number with the ledger that it is as of, both from one answer.

        Raises:
            HorizonSilentError: it does not say; one that it does not know is no news either.
        """
        answer, body = await self._get(f"/accounts/{account}")
        try:
            ledger = int(answer.headers["Latest-Ledger"])
        except (KeyError, ValueError) as error:
            raise HorizonSilentError("an account without its ledger") from error
        return Look(_number(body, "sequence"), ledger)

    async def holdings(self, account: str) -> Mapping[str, int] | None:
        """Tell what an account holds in stroops, by `native` and `CODE:ISSUER`; None when it does not show the account.

        Raises:
            HorizonSilentError: it does not say.
        """
        try:
            _, body = await self._get(f"/accounts/{account}")
        except _MissingError:
            return None
        try:
            return {_line(each): int(Decimal(each["balance"]) * UNIT) for each in body["balances"]}
        except (ArithmeticError, KeyError, TypeError) as error:
            raise HorizonSilentError("no balances") from error

    async def applied(self, inner_hash: str) -> Applied | None:
        """Find a transaction in the ledgers by its own hash; None says only that this Horizon does not show it now.

        Raises:
            HorizonSilentError: it does not say.
        """
        try:
            _, body = await self._get(f"/transactions/{inner_hash}")
        except _MissingError:
            return None
        return _applied(body)

    async def newest_of(self, account: str) -> list[Applied]:
        """List the newest transactions that an account has to do with, failed ones too.

        Raises:
            HorizonSilentError: it does not say.
        """
        path = f"/accounts/{account}/transactions"
        _, body = await self._get(path, order="desc", limit=_PAGE, include_failed="true")
        return [_applied(record) for record in _records(body)]

    async def taker_of(self, account: str, sequence: int, hashes: Iterable[str]) -> Applied | None:
        """Find what took an account's sequence number: one of these, or another; None while this Horizon does not show it.

        Raises:
            HorizonSilentError: it does not say.
        """
        for each in sorted(hashes):
            applied = await self.applied(each)
            if applied is not None and applied.sequence == sequence:
                return applied
        newest = await self.newest_of(account)
        return next((each for each in newest if (each.source, each.sequence) == (account, sequence)), None)

    async def sent_by(self, account: str, *, since: int) -> list[tuple[Applied, str]]:
        """Return the transactions that took an account's sequence numbers from `since` on, oldest first, with their envelopes.

        Raises:
            HorizonSilentError: it does not say.
        """
        path, found, cursor = f"/accounts/{account}/transactions", list[tuple[Applied, str]](), ""
        while True:
            query = {"cursor": cursor} if cursor else {}
            _, body = await self._get(path, order="desc", limit=_PAGE, include_failed="true", **query)
            records = _records(body)
            shown = [(_applied(record), _text(record, "envelope_xdr")) for record in records]
            own = [each for each in shown if each[0].source == account]
            found += [each for each in own if each[0].sequence >= since]
            if len(records) < _PAGE or any(each.sequence < since for each, _ in own):
                return found[::-1]
            cursor = _text(records[-1], "paging_token")

    async def submit(self, envelope: str) -> Told:
        """Hand in a signed envelope (XDR in base 64) and wait for no ledger; whatever happens is told, not raised."""
        try:
            answer = await self._http.post("/transactions_async", data={"tx": envelope})
            body = _object(answer)
        except (httpx.HTTPError, HorizonSilentError):
            return Told.NOTHING
        status = body.get("tx_status")
        if status in _TAKEN:
            return Told.TAKEN
        if status == "TRY_AGAIN_LATER":
            return Told.LATER
        try:
            return ADMISSION.get(read_refusal(_text(body, "error_result_xdr")), Told.REFUSED)
        except (HorizonSilentError, Malformed):
            return Told.NOTHING

    async def _get(self, path: str, **query: str | int) -> tuple[httpx.Response, dict[str, Any]]:
        try:
            answer = await self._http.get(path, params=query)
        except httpx.HTTPError as error:
            raise HorizonSilentError(f"{path}: {error!r}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise _MissingError(path)
        if answer.status_code != httpx.codes.OK:
            raise HorizonSilentError(f"{path}: {answer.status_code}")
        return answer, _object(answer)


class Looks:
    """What a Horizon says of accounts in one pass: of each it is asked once, whoever wants to know."""

    def __init__(self, horizon: Horizon) -> None:
        """Begin a pass; nothing is asked yet."""
        self._horizon = horizon
        self._asked: dict[str, asyncio.Task[Look]] = {}

    async def at(self, account: str) -> Look:
        """Look at an account.

        Raises:
            HorizonSilentError: it does not say, and is not asked again in this pass.
        """
        if account not in self._asked:
            self._asked[account] = asyncio.create_task(self._horizon.look(account))
        return await self._asked[account]


class _MissingError(HorizonSilentError):
    """Horizon answered 404."""


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError as error:
        raise HorizonSilentError("no JSON") from error
    if not isinstance(body, dict):
        raise HorizonSilentError("no object")
    return body


def _text(body: Any, name: str) -> str:  # noqa: ANN401 - any JSON
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str):
        raise HorizonSilentError(f"no {name}")
    return value


def _number(body: Any, name: str) -> int:  # noqa: ANN401 - any JSON
    try:
        return int(body[name])
    except (KeyError, TypeError, ValueError) as error:
        raise HorizonSilentError(f"no {name}") from error


def _records(body: dict[str, Any]) -> list[Any]:
    try:
        records = body["_embedded"]["records"]
    except (KeyError, TypeError) as error:
        raise HorizonSilentError("no page") from error
    if not isinstance(records, list):
        raise HorizonSilentError("no page")
    return records


def _line(balance: dict[str, str]) -> str:
    return "native" if balance["asset_type"] == "native" else f"{balance.get('asset_code')}:{balance.get('asset_issuer')}"


def _applied(body: Any) -> Applied:  # noqa: ANN401 - any JSON
    try:
        codes, is_successful = read_applied(_text(body, "result_xdr"))
    except Malformed as error:
        raise HorizonSilentError(f"no result: {error}") from error
    inner = body.get("inner_transaction")
    own = _text(body, "hash")
    bump = body.get("fee_bump_transaction")
    return Applied(
        hash=_text(bump, "hash") if isinstance(bump, dict) else own,
        inner_hash=_text(inner, "hash") if isinstance(inner, dict) else own,
        source=_text(body, "source_account"),
        sequence=_number(body, "source_account_sequence"),
        ledger=_number(body, "ledger"),
        is_successful=is_successful,
        codes=codes,
    )
