"""What was told stays so: through restarts, kills, and the wrong directory."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from stellar_sdk import Asset, ChangeTrust, Claimant, CreateClaimableBalance, ManageData, Network, Payment, SetOptions, Signer

from deploy.sandbox.horizon.chain.entries import Entry
from deploy.sandbox.horizon.history.rows import OperationRow, rows_of
from deploy.sandbox.horizon.history.store import StateInUse, Store
from deploy.sandbox.horizon.ledger.chain import Closed
from deploy.sandbox.horizon.ledger.header import genesis
from deploy.sandbox.horizon.node import Node, WrongNetwork
from deploy.sandbox.horizon.settings import Settings
from tests.support.chain import PASSPHRASE, address
from tests.support.horizon import Sandbox, sandbox

ROOT = Path(__file__).parents[3]
USD = Asset("USD", address("issuer"))


def entries(node: Node) -> dict[str, Entry]:
    return {entry.id: entry for entry in node.chain.state.entries_at(node.latest)}


async def live_a_little(chain: Sandbox) -> None:
    """Leave an entry of every kind."""
    await chain.accounts("ann", "bob", "issuer")
    await chain.apply(
        chain.build("ann", ChangeTrust(USD), ManageData("name", b"value")),
        chain.build("bob", SetOptions(signer=Signer.ed25519_public_key(address("ann"), 1), home_domain="shop.example")),
        chain.build("issuer", CreateClaimableBalance(Asset.native(), "5", [Claimant(address("ann"))])),
    )
    await chain.apply(
        chain.build("issuer", Payment(address("ann"), USD, "7")), chain.build("bob", Payment(address("nobody"), USD, "1"))
    )


def test_a_store_that_is_closed_while_it_keeps_a_ledger_has_kept_it(tmp_path: Path) -> None:
    """A closer comes at the worst moment: in the midst of the rows. Without waiting it would pull the file from under them."""
    header, root = genesis(Network(PASSPHRASE).network_id(), 1_000)
    rows, store = rows_of(Closed(header, header.hash, [], [], {root.id: root})), Store(tmp_path)
    closer = threading.Thread(target=store.close)

    def rows_that_take_a_while() -> Iterator[OperationRow]:
        closer.start()
        closer.join(0.2)
        yield from ()

    store.keep(replace(rows, operations=cast("list[OperationRow]", rows_that_take_a_while())))
    closer.join(5)
    assert not closer.is_alive()
    again = Store(tmp_path)
    assert (again.latest_header(), list(again.entries())) == (header.encoded(), [root.id])
    again.close()


async def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as chain:
        await live_a_little(chain)
        before = entries(chain.node)
        hash_before, header = chain.node.chain.hash, chain.node.chain.header
        told = await chain.records("/transactions", limit=200, include_failed="true")
    async with sandbox(tmp_path) as again:
        assert (entries(again.node), again.node.chain.hash, again.node.chain.header) == (before, hash_before, header)
        known = await again.records("/transactions", limit=200, include_failed="true")
        assert [each["result_xdr"] for each in known] == [each["result_xdr"] for each in told]
        await again.node.close()
        assert again.node.chain.header.previous_hash == hash_before
        (replay, *_) = await again.apply(again.build("ann", Payment(address("bob"), Asset.native(), "1")))
        assert replay["successful"]


async def test_equal_submissions_in_virtual_time_make_equal_ledgers(tmp_path: Path) -> None:
    hashes = []
    for name in ("one", "two"):
        async with sandbox(tmp_path / name, virtual_start=1_700_000_000) as chain:
            await live_a_little(chain)
            hashes.append([each["hash"] for each in await chain.records("/ledgers", limit=200)])
    assert hashes[0] == hashes[1]


async def test_a_moved_clock_stays_moved(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as chain:
        await chain.http.post("/sandbox/clock", json={"seconds": 10_000})
        moved = chain.node.clock.now()
    async with sandbox(tmp_path) as chain:
        assert chain.node.clock.now() >= moved


async def test_a_directory_is_of_one_process_and_one_network(tmp_path: Path) -> None:
    async with sandbox(tmp_path):
        with pytest.raises(StateInUse):
            Node(Settings(tmp_path, passphrase=PASSPHRASE))
    with pytest.raises(WrongNetwork):
        Node(Settings(tmp_path, passphrase="Another network"))
    async with sandbox(tmp_path) as chain:
        assert chain.node.latest == 1, "neither attempt left anything behind"


@asynccontextmanager
async def started(state: Path, **options: Any) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Start a server of its own process; hand it over with its address, and leave none behind."""
    port_file = state.parent / "port"
    port_file.unlink(missing_ok=True)
    given = {"state": state, "port-file": port_file, "passphrase": PASSPHRASE, "close-ms": 30} | options
    arguments = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.sandbox.horizon", *arguments, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while not port_file.exists():
            assert process.returncode is None
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        yield process, f"http://127.0.0.1:{port_file.read_text()}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_what_was_answered_as_applied_survives_a_kill(tmp_path: Path) -> None:
    """Friendbot is asked without a pause while the process is killed again and again."""
    promised: list[str] = []
    for run in range(2):
        async with started(tmp_path / "state") as (process, url), httpx.AsyncClient(base_url=url, timeout=20) as http:
            for account in promised:
                assert (await http.get(f"/accounts/{account}")).status_code == 200
            asked = {name: asyncio.create_task(http.get("/friendbot", params={"addr": name})) for name in names(run)}
            await asyncio.wait(asked.values(), return_when=asyncio.FIRST_COMPLETED)
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            await asyncio.wait(asked.values())
            for name, task in asked.items():
                if task.exception() is None and task.result().status_code == 200:
                    promised.append(name)
    assert promised
    async with started(tmp_path / "state", **{"close-ms": 0}) as (process, url):
        async with httpx.AsyncClient(base_url=url, timeout=20) as http:
            shown = (await http.get("/sandbox/balances")).json()
        assert set(promised) <= set(shown["accounts"])
        lumens = sum(int(each["native"].replace(".", "")) for each in shown["accounts"].values())
        assert lumens + int(shown["fee_pool"].replace(".", "")) == 10**18
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0


def names(run: int) -> list[str]:
    return [address(f"{run}-{number}") for number in range(20)]


async def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    async with sandbox(tmp_path):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "deploy.sandbox.horizon", "--state", str(tmp_path), cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        _, told = await process.communicate()
    assert process.returncode == 1
    assert "is in use by another sandbox" in told.decode()
