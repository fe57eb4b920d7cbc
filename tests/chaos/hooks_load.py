"""Those who take part while everything is killed: who publishes events, who receives them, and who follows the stream."""

import asyncio
import contextlib
import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import aiohttp
import msgspec
from aiohttp import web

from libs.common.contracts.envelope import Envelope, encode
from libs.common.contracts.topology import Topology, family
from libs.common.kernel.ids import Tenant
from libs.common.messaging.link import Link, NotPublishedError, OutcomeUnknownError
from libs.common.messaging.publisher import Publisher
from tests.support.events import event

AGGREGATES: Final = 500
RARE: Final = "order.closed"
USUAL: Final = "order.created"
REFUSED_SHARE: Final = 0.01
"""Of deliveries: what a receiver answers 500 to, to have it sent again."""
_CHUNKS_A_SECOND: Final = 10
_TROUBLE_PAUSE_SECONDS: Final = 0.2
_AWAY_SECONDS: Final = 0.3
_SILENCE_SECONDS: Final = 20.0
_OK: Final = 200
_BUSY: Final = (_OK, 429, 503)
"""What a stream may be answered with meanwhile."""


class Arrival(NamedTuple):
    """A delivery that was accepted."""

    path: str
    event_id: str
    """The `webhook-id`."""
    delivery_id: str
    aggregate: str
    sequence: int
    digest: bytes
    """Of the body."""


class _Data(msgspec.Struct):
    of: str


class _Body(msgspec.Struct):
    id: str
    sequence: int
    data: _Data


_bodies: Final = msgspec.json.Decoder(_Body)


def story(tenant: Tenant, events: int, dice: random.Random) -> list[Envelope]:
    """Draw up events, each aggregate's in sequence; of each a rare one and nine usual ones in ten."""
    counts: Counter[str] = Counter()
    told = []
    for _ in range(events):
        aggregate = f"order:{dice.randrange(AGGREGATES)}"
        counts[aggregate] += 1
        kind = RARE if dice.random() < 0.1 else USUAL
        told.append(event(tenant, aggregate, counts[aggregate], kind=kind, data={"of": aggregate}))
    return told


async def tell(amqp_url: str, prefix: str, events: Sequence[Envelope], *, per_second: float) -> None:
    """Publish events as an outbox does: each part again and again until the broker has confirmed it. Parts may overtake."""
    link = Link(amqp_url, Topology(prefix), name="chaos")
    publisher = Publisher(link)
    exchange = publisher.topology.events.name
    await link.start()
    size = max(1, round(per_second / _CHUNKS_A_SECOND))

    async def insist(part: Sequence[Envelope]) -> None:
        bodies = [encode(envelope) for envelope in part]
        while True:
            try:
                await publisher.send_all(bodies, exchange=exchange, routing_key=family(part[0].type))
            except (NotPublishedError, OutcomeUnknownError):
                await asyncio.sleep(_TROUBLE_PAUSE_SECONDS)
            else:
                return

    try:
        async with asyncio.TaskGroup() as group:
            for start in range(0, len(events), size):
                group.create_task(insist(events[start : start + size]))
                await asyncio.sleep(1 / _CHUNKS_A_SECOND)
    finally:
        await link.stop()


@dataclass
class Inn:
    """The receivers of all endpoints: one for each path."""

    dice: random.Random
    arrivals: list[Arrival] = field(default_factory=list)
    refused: int = 0
    strange: list[str] = field(default_factory=list)
    """Deliveries whose headers and body don't tell the same."""
    url: str = ""

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen for the length of a block."""
        application = web.Application()
        application.router.add_post("/{path}", self._take)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if self.dice.random() < REFUSED_SHARE:
            self.refused += 1
            return web.Response(status=500)
        body, headers = _bodies.decode(raw), request.headers
        if body.id != headers["webhook-id"]:
            self.strange.append(f"{body.id} came as {headers['webhook-id']}")
        self.arrivals.append(
            Arrival(
                request.match_info["path"],
                headers["webhook-id"],
                headers["X-OfferHub-Delivery"],
                body.data.of,
                body.sequence,
                hashlib.sha256(raw).digest(),
            )
        )
        return web.Response(status=200)


@dataclass
class Follower:
    """Follows the stream of all events with a key of its own, and breaks off again and again."""

    session: aiohttp.ClientSession
    url: str
    key: str
    dice: random.Random
    life_seconds: float
    """Of one connection, about."""
    last: int = 0
    disconnects: int = 0
    breaks: int = 0
    """Connections that ended without its doing."""
    wrong: list[str] = field(default_factory=list)

    async def follow(self) -> None:
        """Follow until cancelled; a position that is not the one after the last is noted."""
        while True:
            try:
                async with asyncio.timeout(self.dice.uniform(0.2, 1.8) * self.life_seconds):
                    await self._connect()
                self.breaks += 1
            except TimeoutError:
                self.disconnects += 1
            except aiohttp.ClientError:
                self.breaks += 1
            await asyncio.sleep(self.dice.uniform(0, _AWAY_SECONDS))

    async def _connect(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "text/event-stream", "Last-Event-ID": str(self.last)}
        silence = aiohttp.ClientTimeout(total=None, sock_read=_SILENCE_SECONDS)
        asked = self.session.get(f"{self.url}/events", headers=headers, params={"takeover": "true"}, timeout=silence)
        async with asked as answer:
            if answer.status not in _BUSY:
                self.wrong.append(f"{answer.status} after {self.last}: {await answer.text()}")
            if answer.status != _OK:
                return
            said: dict[str, str] = {}
            async for raw in answer.content:
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name:
                    said[name] = value
                else:
                    self._hear(said)
                    said = {}

    def _hear(self, said: dict[str, str]) -> None:
        if "data" not in said:
            return
        position = int(said.get("id", self.last))
        expected = self.last if said.get("event") == "ping" else self.last + 1
        if position != expected:
            self.wrong.append(f"{said.get('event')} at {position} after {self.last}")
        self.last = position
