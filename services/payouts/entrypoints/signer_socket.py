"""The signer's door: a unix socket that answers processes of known users only."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import structlog

from libs.common.kernel.errors import InvariantViolationError
from services.payouts.clients.signer import receive, send
from services.payouts.domain.signing import Refused, Reply, Request

QUESTION_SECONDS: Final = 5.0
_PEER: Final = struct.Struct("3i")
_SOCKET_MODE: Final = 0o660
_log = structlog.get_logger("offerhub.signer")
Answering = Callable[[Request], Awaitable[Reply]]


@contextlib.asynccontextmanager
async def listening(path: str, answer: Answering, *, users: Collection[int]) -> AsyncIterator[None]:
    """Serve at this path, for processes of these user ids."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            user = peer_of(writer)
            if user not in users:
                _log.error("signer.stranger", user=user)
                await send(writer, msgspec.json.encode(Refused("STRANGER", f"user {user} may not ask")))
                return
            async with asyncio.timeout(QUESTION_SECONDS):
                question = await receive(reader)
            await send(writer, msgspec.json.encode(await _answered(question, answer)))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("signer.trouble", error=repr(error))  # unanswered: whoever asked asks again
        finally:
            writer.close()

    before = os.umask(0o777 & ~_SOCKET_MODE)
    try:
        server = await asyncio.start_unix_server(serve, Path(path))
    finally:
        os.umask(before)
    async with server:
        yield


def peer_of(writer: asyncio.StreamWriter) -> int:
    """Return the user id of the process at the other end, as the kernel says."""
    end = writer.get_extra_info("socket")
    _, user, _ = _PEER.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return int(user)


async def _answered(question: bytes, answer: Answering) -> Reply:
    try:
        return await answer(msgspec.json.decode(question, type=Request))
    except msgspec.DecodeError as error:
        return Refused("UNREADABLE", f"this is no question: {error}")
    except InvariantViolationError as error:
        _log.error("signer.broken", error=str(error))
        return Refused("BROKEN", str(error))
