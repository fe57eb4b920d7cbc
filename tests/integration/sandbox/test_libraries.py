"""Stellar's own libraries, unmodified, against the sandbox.

The JavaScript one runs where it is installed: beside this repository's root, or in a directory that OFFERHUB_NODE_MODULES names,
after `npm install @stellar/stellar-sdk` there.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import Asset, Keypair, Server, TransactionBuilder
from stellar_sdk.exceptions import BadRequestError, NotFoundError

from tests.support.chain import PASSPHRASE
from tests.support.horizon import Sandbox, sandbox

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
MODULES = Path(os.environ.get("OFFERHUB_NODE_MODULES") or ROOT)
PACKAGE = MODULES / "node_modules" / "@stellar" / "stellar-sdk"


@pytest.fixture
async def regular(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A chain that closes its own ledgers."""
    async with sandbox(tmp_path, close_ms=50) as running:
        yield running


async def played(*command: str) -> Any:
    """Run a story and return what it saw."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return json.loads(out)


REFUSED = {"transaction": "tx_failed", "operations": ["op_no_destination"]}


async def test_the_python_library_asynchronously(regular: Sandbox) -> None:
    assert await played(sys.executable, str(HERE / "story_async.py"), regular.url, PASSPHRASE) == {
        "successful": True,
        "balance": "12.5000000",
        "streamed": True,
        "status": "PENDING",
        "codes": REFUSED,
        "missing": 404,
        "records": 4,
    }


async def test_the_python_library_synchronously(regular: Sandbox) -> None:
    assert await asyncio.to_thread(play, regular.url) == ["create_account", "payment", "account_merge"]


def play(url: str) -> list[str]:
    """Pay and merge, be refused, follow a stream."""
    ann, bob = Keypair.random(), Keypair.random()
    with Server(url) as server:
        root = server.root().call()
        assert root["network_passphrase"] == PASSPHRASE
        for each in (ann, bob):
            server._client.get(f"{url}/friendbot", {"addr": each.public_key})
        account = server.load_account(ann.public_key)
        builder = TransactionBuilder(account, PASSPHRASE, server.fetch_base_fee()).set_timeout(60)
        envelope = builder.append_payment_op(bob.public_key, Asset.native(), "3").build()
        envelope.sign(ann)
        assert server.submit_transaction(envelope)["hash"] == envelope.hash_hex()
        again = TransactionBuilder(account, PASSPHRASE, 100).set_timeout(60).append_account_merge_op(bob.public_key).build()
        with pytest.raises(BadRequestError) as refused:
            server.submit_transaction(again)
        assert refused.value.extras is not None
        assert refused.value.extras["result_codes"] == {"transaction": "tx_bad_auth"}
        again.sign(ann)
        server.submit_transaction(again)
        with pytest.raises(NotFoundError):
            server.load_account(ann.public_key)
        types: list[str] = []
        for payment in server.payments().for_account(bob.public_key).cursor("0").stream():
            types.append(payment["type"])
            if payment["type"] == "account_merge":
                break
        return types


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(
    not PACKAGE.is_dir(),
    reason=f"no @stellar/stellar-sdk in {MODULES}/node_modules: install it there, or name another place in OFFERHUB_NODE_MODULES",
)
async def test_the_javascript_library(regular: Sandbox) -> None:
    assert await played("node", str(HERE / "story.mjs"), str(MODULES), regular.url, PASSPHRASE) == {
        "successful": True,
        "balance": "12.5000000",
        "streamed": True,
        "bumped": True,
        "found": True,
        "status": "PENDING",
        "codes": REFUSED,
        "missing": 404,
        "next": True,
    }
