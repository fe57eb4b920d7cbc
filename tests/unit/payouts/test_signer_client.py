"""What the client of the signer makes of each answer, and of none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from services.payouts.clients.signer import SignerClient, SignerRefusedError, SignerUnavailableError, receive, send
from services.payouts.domain.signing import Accounts, Minted, Refused, Reply, Request, Sign, Signed, WalletName

Answering = Callable[[Request], Awaitable[Reply | bytes]]


@asynccontextmanager
async def signer(path: Path, answer: Reply | bytes) -> AsyncIterator[list[Request]]:
    """A signer that always says the same, and the questions it got."""
    asked: list[Request] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(msgspec.json.decode(await receive(reader), type=Request))
        if isinstance(answer, bytes):
            writer.write(answer)
        else:
            await send(writer, msgspec.json.encode(answer))
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        yield asked


async def test_each_question_is_answered_in_kind(tmp_path: Path) -> None:
    path = tmp_path / "signer"
    async with signer(path, Signed("signed")) as asked:
        assert await SignerClient(str(path)).sign("withdrawal", "bat_1", "unsigned") == "signed"
    assert asked == [Sign("withdrawal", "bat_1", "unsigned")]
    path.unlink(missing_ok=True)
    async with signer(path, Minted(("GA", "GB"))):
        wallets = (WalletName("a:live", "wal_1"), WalletName("a:live", "wal_2"))
        assert await SignerClient(str(path)).mint("testnet", wallets) == ("GA", "GB")
    path.unlink(missing_ok=True)
    told = Accounts("GS", "GT", ("GC",))
    async with signer(path, told):
        assert await SignerClient(str(path)).accounts() == told


async def test_a_refusal_is_no_matter_of_time(tmp_path: Path) -> None:
    path = tmp_path / "signer"
    async with signer(path, Refused("OTHER_AMOUNT", "5 is asked for, 6 is in the envelope")):
        with pytest.raises(SignerRefusedError, match="OTHER_AMOUNT: 5 is") as refused:
            await SignerClient(str(path)).sign("withdrawal", "bat_1", "unsigned")
    assert refused.value.code == "OTHER_AMOUNT"


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0\0\0\x09half", b"\xff\xff\xff\xff", b"\0\0\0\x02{}", Minted(("GA",))],
    ids=["nothing", "half", "too much", "nonsense", "another answer"],
)
async def test_what_is_no_answer_is_asked_again(tmp_path: Path, answer: Reply | bytes) -> None:
    path = tmp_path / "signer"
    async with signer(path, answer):
        with pytest.raises(SignerUnavailableError):
            await SignerClient(str(path)).sign("sweep", "swp_1", "unsigned")


async def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(SignerUnavailableError, match="does not answer"):
        await SignerClient(str(tmp_path / "none")).accounts()
