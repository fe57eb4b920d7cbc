"""The event stream with many readers: a gateway and a webhooks process, and events put on the bus from outside."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from typing import Final

import asyncpg
import httpx

from deploy.local.stack import Stack
from libs.common.contracts.envelope import encode
from libs.common.contracts.topology import Topology, family
from libs.common.kernel.ids import Tenant
from libs.common.messaging.link import Link
from libs.common.messaging.publisher import Publisher
from tests.bench.processes import cpu_seconds, memory_mb
from tests.bench_webhooks.scenarios import Row, Size
from tests.support.events import event
from tests.support.stacks import address, own_stack, pids

READERS: Final = 1_000
EVENTS_A_SECOND: Final = 20
_TENANT: Final = Tenant("default:live")
_KIND: Final = "order.created"
_PADDING: Final = "x" * 400
_LOGGED: Final = (
    "SELECT position, extract(epoch FROM logged_at)::float8 FROM webhooks.event_log WHERE type = $1 AND sequence > $2"
)
_WARM: Final = 40
_AT_ONCE: Final = 32
_SETTLE_SECONDS: Final = 3.0


async def streams(size: Size) -> list[Row]:
    """Measure how soon every event is with every reader."""
    async with own_stack(OFFERHUB_PROCESSES="ledger=0,escrow=0,payouts=0,webhooks=1,gateway=1") as stack:
        keys = await _keys(stack)
        host, port = address(stack)
        pipe = asyncio.subprocess.PIPE
        readers = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench_webhooks.readers", host, str(port), stdin=pipe, stdout=pipe, limit=2**20
        )
        try:
            assert (await _ask(readers, keys)).strip() == b"ready"
            gateway = pids(stack)["gateway-1"]
            used, began = cpu_seconds(gateway), time.monotonic()
            told = await _happen(stack, int(size.calm_seconds * EVENTS_A_SECOND))
            busy = (cpu_seconds(gateway) - used) / (time.monotonic() - began)
            seen = json.loads(await _ask(readers, await _logged(stack)))
            rss = memory_mb(gateway)[0]
        finally:
            if readers.returncode is None:
                readers.kill()
            await readers.wait()
    what = f"{READERS:,} readers of the stream at {EVENTS_A_SECOND} events/s"
    return [
        Row(f"{what}: commit to reader, p50", seen["p50"], "ms"),
        Row(f"{what}: commit to reader, p99", seen["p99"], "ms", most=30),
        Row(f"{what}: frames that did not come", told * READERS - seen["frames"], "", most=0),
        Row(f"{what}: cores that the gateway kept busy", busy, ""),
        Row(f"{what}: memory of the gateway", rss, "MB"),
    ]


async def _ask(readers: asyncio.subprocess.Process, line: object) -> bytes:
    assert readers.stdin is not None
    assert readers.stdout is not None
    readers.stdin.write(f"{json.dumps(line)}\n".encode())
    await readers.stdin.drain()
    return await readers.stdout.readline()


async def _keys(stack: Stack) -> list[str]:
    """Make a key for each reader: one key has one stream."""
    turns = asyncio.Semaphore(_AT_ONCE)
    headers = {"Authorization": f"Bearer {stack.shell['OFFERHUB_MASTER_KEY']}"}
    async with httpx.AsyncClient(base_url=stack.api_url, headers=headers, timeout=60, trust_env=False) as client:

        async def make(number: int) -> str:
            async with turns:
                answer = await client.post("/auth/api-keys", json={"name": f"reader {number}", "scopes": ["read"]})
            assert answer.is_success, answer.text
            return str(answer.json()["data"]["key"])

        return list(await asyncio.gather(*(make(number) for number in range(READERS))))


async def _happen(stack: Stack, count: int) -> int:
    """Publish events at the rate, after some that are not counted; return how many are."""
    link = Link(stack.shell["AMQP_URL"], Topology(stack.shell["OFFERHUB_BUS_PREFIX"]), name="bench")
    publisher = Publisher(link)
    await link.start()
    try:
        await link.wait_up(10)
        began = time.monotonic()
        for number in range(1, _WARM + count + 1):
            await asyncio.sleep(max(0.0, began + number / EVENTS_A_SECOND - time.monotonic()))
            envelope = event(_TENANT, "order:streamed", number, kind=_KIND, data={"n": number, "padding": _PADDING})
            await publisher.send(encode(envelope), exchange=link.topology.events.name, routing_key=family(_KIND))
        await asyncio.sleep(_SETTLE_SECONDS)
    finally:
        await link.stop()
    return count


async def _logged(stack: Stack) -> dict[int, float]:
    owner = await asyncpg.connect(stack.database_url())
    rows: Sequence[asyncpg.Record] = await owner.fetch(_LOGGED, _KIND, _WARM)
    await owner.close()
    return {row[0]: row[1] for row in rows}
