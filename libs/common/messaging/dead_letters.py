"""Looking at dead letters and putting them back: `python -m libs.common.messaging.dead_letters ledger [--redrive]`."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel

from libs.common.contracts.envelope import Envelope, encode, frame, unframe
from libs.common.contracts.topology import SERVICES, Topology

Wanted = Callable[[Envelope], bool]


async def redrive(url: str, topology: Topology, service: str, *, wanted: Wanted = lambda _: True) -> list[Envelope]:
    """Put a service's dead letters back into its commands, with their attempts at zero; return them.

    Each is acknowledged only after the broker confirmed its second life, so a crash here repeats and never loses.
    """
    moved: list[Envelope] = []
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        queue = await channel.declare_queue(topology.dead_queue(service).name, passive=True)
        # Only what lies there now: one that fails again comes back to the end of this very queue.
        for _ in range(queue.declaration_result.message_count or 0):
            message = await queue.get(no_ack=False, fail=False)
            if message is None:
                break
            letters, bad = unframe(message.body)
            again = [msgspec.structs.replace(letter, attempts=0, reason="") for letter in letters if wanted(letter)]
            kept = [encode(letter) for letter in letters if not wanted(letter)] + [part for part, _ in bad]
            await _publish(channel, topology.command_queue(service).name, [encode(letter) for letter in again])
            await _publish(channel, queue.name, kept)
            await message.ack()
            moved.extend(again)
    return moved


async def _publish(channel: AbstractChannel, queue: str, parts: list[bytes]) -> None:
    if parts:
        message = aio_pika.Message(frame(parts), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, queue, mandatory=True)


async def look(url: str, topology: Topology, service: str) -> list[Envelope]:
    """Read a service's dead letters and leave them where they are."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(topology.dead_queue(service).name)
        seen: list[Envelope] = []
        while (message := await queue.get(no_ack=False, fail=False)) is not None:
            seen.extend(unframe(message.body)[0])
        return seen  # closing the channel puts everything back


def main() -> None:
    """List the dead letters of a service, or redrive those of one type or one id."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("--redrive", action="store_true", help="put them back into the service's commands")
    parser.add_argument("--type", help="only messages of this type")
    parser.add_argument("--id", help="only this message")
    options = parser.parse_args()
    url = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
    topology = Topology(os.environ.get("OFFERHUB_BUS_PREFIX", ""))

    def wanted(envelope: Envelope) -> bool:
        return options.type in (None, envelope.type) and options.id in (None, envelope.id)

    work = redrive(url, topology, options.service, wanted=wanted) if options.redrive else look(url, topology, options.service)
    letters = [letter for letter in asyncio.run(work) if wanted(letter)]
    for letter in letters:
        sys.stdout.write(f"{letter.id} {letter.type} {letter.tenant} {letter.reason or 'redriven'}\n")
    sys.stdout.write(f"{len(letters)} {'redriven' if options.redrive else 'parked'}\n")


if __name__ == "__main__":
    main()
