"""The calibration: framed questions and answers over the bare bus, 64 callers, no HTTP, no database.

`python -m tests.bench.echo` measures for as many seconds as it is told on stdin; the other end is a process of its own.
"""

import asyncio
import secrets
import sys
import time

import msgspec
import uvloop

from libs.common.contracts.envelope import Envelope, reply_body, reply_to, unframe
from libs.common.contracts.queries.ledger import GetBalance
from libs.common.contracts.topology import Topology
from libs.common.kernel.ids import Tenant
from libs.common.messaging.broker import make_broker, subscribe
from libs.common.messaging.link import Link
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.rpc import RpcClient
from libs.common.observability.logging import start_logging

CALLERS = 64
_WARM_UP_SECONDS = 0.5
_QUEUE_EXPIRES_MS = 60_000


class Task(msgspec.Struct, frozen=True):
    """Over which broker, for how long."""

    amqp_url: str
    seconds: float
    prefix: str = ""
    """Given to the answering end."""


async def answer(task: Task) -> None:
    """Echo until stdin ends."""
    topology = Topology(task.prefix, _QUEUE_EXPIRES_MS)
    link = Link(task.amqp_url, topology, name="bench-echo")
    publisher = Publisher(link)
    broker = make_broker(task.amqp_url)

    async def echo(body: bytes) -> None:
        replies: dict[str, list[bytes]] = {}
        for envelope in unframe(body)[0]:
            replies.setdefault(envelope.reply_to, []).append(_answer(envelope))
        for queue, together in replies.items():
            publisher.send_all(together, exchange="", routing_key=queue, persistent=False)

    subscribe(broker, topology.query_queue("ledger"), echo)
    await link.start()
    await link.wait_up(10)
    await broker.start()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await broker.stop()
    await link.stop()


def _answer(envelope: Envelope) -> bytes:
    return reply_to(envelope, reply_body(GetBalance("usr_echo")))


async def ask(task: Task) -> float:
    """Return answers per second."""
    prefix = f"bench_{secrets.token_hex(4)}."
    link = Link(task.amqp_url, Topology(prefix, _QUEUE_EXPIRES_MS), name="bench-ask")
    rpc = RpcClient(link, Publisher(link), instance="bench")
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.echo", "answer"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdin
    assert other.stdout
    other.stdin.write(msgspec.json.encode(Task(task.amqp_url, task.seconds, prefix)) + b"\n")
    await other.stdin.drain()
    assert await other.stdout.readline() == b"ready\n"
    await link.start()
    await link.wait_up(10)
    start = time.perf_counter() + _WARM_UP_SECONDS
    end = start + task.seconds
    answered = 0

    async def caller() -> None:
        nonlocal answered
        while (now := time.perf_counter()) < end:
            await rpc.query("ledger", GetBalance("usr_echo"), tenant=Tenant("bench:live"))
            answered += now >= start

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    await link.stop()
    other.stdin.close()
    await other.wait()
    return answered / task.seconds


def main() -> None:
    """Be one of the two ends."""
    start_logging(service="bench", instance="echo", level="ERROR")
    if sys.argv[1:] == ["answer"]:
        uvloop.run(answer(msgspec.json.decode(sys.stdin.readline(), type=Task)))
        return
    per_second = uvloop.run(ask(msgspec.json.decode(sys.stdin.readline(), type=Task)))
    print(per_second)


if __name__ == "__main__":
    main()
