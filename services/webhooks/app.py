"""The webhooks service put together."""

import asyncio
import os
import random
from collections.abc import Sequence
from datetime import timedelta

from libs.common.contracts.catalog import EVENTS
from libs.common.messaging.batch import Decided, Schema
from libs.common.messaging.worker import Loop, Parts, Service
from libs.common.persistence.sealing import KeyRing
from services.webhooks.clients.sender import open_sender
from services.webhooks.entrypoints.dispatcher import Dispatcher
from services.webhooks.handlers import delete_endpoint, readers
from services.webhooks.handlers.create_endpoint import CreateEndpointUseCase
from services.webhooks.handlers.deliver import Courier, Policy
from services.webhooks.handlers.log_event import LogEvent
from services.webhooks.settings import WebhooksSettings
from services.webhooks.store.rows import DELIVERIES, LOCK_ORDER


def build(settings: WebhooksSettings) -> Service:
    """Name what the service obeys, logs and answers, and start its dispatcher.

    Raises:
        ValueError: the ring of secret keys is malformed.
    """
    ring = KeyRing.parse(settings.secret_keys.get_secret_value(), entropy=os.urandom)
    wake = asyncio.Event()

    def wake_dispatcher(decided: Sequence[Decided]) -> None:
        if any(table is DELIVERIES for item in decided for table, _ in item.decision.rows):
            wake.set()

    return Service(
        name="webhooks",
        schema=Schema(tables=LOCK_ORDER, committed=wake_dispatcher),
        use_cases={
            "CreateEndpoint": CreateEndpointUseCase(ring, settings.allow_private),
            "DeleteEndpoint": delete_endpoint,
            **{name: LogEvent(name) for name in EVENTS},
        },
        readers={
            "GetEndpoint": readers.get_endpoint,
            "ListEndpoints": readers.list_endpoints,
            "ListDeliveries": readers.list_deliveries,
            "ListEvents": readers.list_events,
        },
        loops=(_dispatching(settings, ring, wake),),
    )


def _dispatching(settings: WebhooksSettings, ring: KeyRing, wake: asyncio.Event) -> Loop:
    dice = random.SystemRandom()
    policy = Policy(
        waits=settings.retry_seconds,
        lease=timedelta(seconds=settings.lease_seconds),
        lane_max=settings.endpoint_concurrency,
        spread=lambda: dice.uniform(-1.0, 1.0),
    )

    async def dispatch(parts: Parts) -> None:
        limits = open_sender(connections=settings.concurrency, timeout_seconds=settings.timeout_seconds)
        async with limits as sender:
            courier = Courier(parts.pool, sender, ring, parts.clock, parts.publisher.topology, policy)
            dispatcher = Dispatcher(
                courier,
                wake,
                concurrency=settings.concurrency,
                poll_seconds=settings.poll_seconds,
                housekeeping_seconds=settings.housekeeping_seconds,
            )
            await dispatcher.run()

    return dispatch
