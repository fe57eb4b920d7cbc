"""Asks the signer, the one process that can open wallets' keys, over its unix socket.

A message is its length in four bytes, big-endian, then JSON; one question and one answer a connection. Signing has no effect
on the outside, and the same question has the same answer: whoever is not answered asks again.
"""

import asyncio
from typing import Final, Protocol, TypeVar

import msgspec

from libs.common.kernel.errors import TransientError
from services.payouts.domain.signing import (
    FRAME_BYTES_MAX,
    LENGTH_BYTES,
    Accounts,
    Describe,
    FactorKey,
    Match,
    Matched,
    Mint,
    Minted,
    Refused,
    Reply,
    Request,
    Reveal,
    Sign,
    Signed,
    SignKind,
    WalletName,
)

ANSWER_SECONDS: Final = 10.0
_decode: Final = msgspec.json.Decoder(Reply).decode
Wanted = TypeVar("Wanted", Signed, Minted, Accounts, FactorKey, Matched)


class SignerUnavailableError(TransientError):
    """The signer does not answer: it is being restarted, or its database is away. Ask again later."""


class SignerRefusedError(Exception):
    """The signer will not sign this. It is a bug or an attack, never a matter of time: stop, keep the rows, call a person."""

    def __init__(self, code: str, reason: str) -> None:
        """Keep the code for programs, and the reason for the log."""
        super().__init__(f"{code}: {reason}")
        self.code = code


class Signer(Protocol):
    """What the engine needs of a signer; tests may bring one of their own."""

    async def sign(self, kind: SignKind, intent_id: str, envelope_xdr: str) -> str:
        """Return the envelope with its signatures.

        The intent's rows and the exact envelope must be committed before this is called: the signer reads them itself, and
        signs nothing that they do not ask for. `envelope_xdr` is the unsigned envelope in base 64; the hash does not change.

        Raises:
            SignerUnavailableError: nobody answered; ask again.
            SignerRefusedError: the envelope is not what the intent says.
        """
        ...

    async def accounts(self) -> Accounts:
        """Name the platform's own accounts: sponsor, treasury, and the channels in order.

        Raises:
            SignerUnavailableError: nobody answered; ask again.
        """
        ...


class SignerClient:
    """A signer behind a unix socket."""

    def __init__(self, path: str) -> None:
        """Ask at this socket; nothing is opened yet."""
        self._path = path

    async def sign(self, kind: SignKind, intent_id: str, envelope_xdr: str) -> str:
        """Return the envelope with its signatures; see `Signer.sign`."""
        return (await self._ask(Sign(kind, intent_id, envelope_xdr), Signed)).envelope

    async def accounts(self) -> Accounts:
        """Name the platform's own accounts; see `Signer.accounts`."""
        return await self._ask(Describe(), Accounts)

    async def mint(self, network: str, wallets: tuple[WalletName, ...]) -> tuple[str, ...]:
        """Have a key made and kept for each wallet that has none, and return their addresses in the same order.

        Raises:
            SignerUnavailableError: nobody answered; the keys may have been made, and asking again gives the same ones.
        """
        return (await self._ask(Mint(network, wallets), Minted)).addresses

    async def reveal(self, asked: Reveal) -> str:
        """Return the key of a second factor that is being set up.

        Raises:
            SignerUnavailableError: nobody answered; ask again. SignerRefusedError: it is not being set up.
        """
        return (await self._ask(asked, FactorKey)).key

    async def match(self, asked: Match) -> int:
        """Return the step that a code is of; 0: of none near this instant.

        Raises:
            SignerUnavailableError: nobody answered; ask again. SignerRefusedError: there is no such factor.
        """
        return (await self._ask(asked, Matched)).step

    async def _ask(self, request: Request, kind: type[Wanted]) -> Wanted:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reply = _decode(await self._exchange(msgspec.json.encode(request)))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, msgspec.DecodeError) as error:
            raise SignerUnavailableError(f"the signer at {self._path} does not answer: {error!r}") from error
        if isinstance(reply, Refused):
            raise SignerRefusedError(reply.code, reply.reason)
        if not isinstance(reply, kind):
            raise SignerUnavailableError(f"the signer answered {type(reply).__name__}, not {kind.__name__}")
        return reply

    async def _exchange(self, question: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            await send(writer, question)
            return await receive(reader)
        finally:
            writer.close()


async def send(writer: asyncio.StreamWriter, message: bytes) -> None:
    """Write one message."""
    writer.write(len(message).to_bytes(LENGTH_BYTES) + message)
    await writer.drain()


async def receive(reader: asyncio.StreamReader) -> bytes:
    """Read one message.

    Raises:
        asyncio.IncompleteReadError: the other side went away, or claims more than a message may have.
    """
    length = int.from_bytes(await reader.readexactly(LENGTH_BYTES))
    if length > FRAME_BYTES_MAX:
        raise asyncio.IncompleteReadError(b"", length)
    return await reader.readexactly(length)
