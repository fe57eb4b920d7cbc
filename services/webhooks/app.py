"""The webhooks service put together."""

import asyncio
import os
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from libs.common.contracts.catalog import EVENTS
from libs.common.messaging.batch import Decided, Schema
from libs.common.messaging.worker import Loop, Parts, Service
from libs.common.persistence.letters import Letterbox
from libs.common.persistence.sealing import KeyRing
from services.webhooks.clients.names import LookUp, system_look_up
from services.webhooks.clients.sender import open_sender
from services.webhooks.domain.lanes import Breaker
from services.webhooks.entrypoints.announcer import Announcer
from services.webhooks.entrypoints.dispatcher import Dispatcher
from services.webhooks.entrypoints.keeper import KEEPING_SECONDS, Keeper
from services.webhooks.entrypoints.replays import ReplayLoop
from services.webhooks.handlers import (
    delete_endpoint,
    read_deliveries,
    read_evidence,
    read_replays,
    readers,
    resend_delivery,
    send_test_event,
    start_replay,
    steer_replay,
)
from services.webhooks.handlers.create_endpoint import CreateEndpointUseCase
from services.webhooks.handlers.deliver import Courier, Policy
from services.webhooks.handlers.keep_days import DayKeeper
from services.webhooks.handlers.know_hosts import Hosts
from services.webhooks.handlers.log_event import LogEvent
from services.webhooks.handlers.read_health import HealthReader
from services.webhooks.handlers.replay import Replayer
from services.webhooks.handlers.rotate_secret import RotateSecretUseCase
from services.webhooks.handlers.update_endpoint import UpdateEndpointUseCase
from services.webhooks.settings import WebhooksSettings
from services.webhooks.store import days
from services.webhooks.store.delivery_rows import DELIVERIES, REPLAYS, RESENDS
from services.webhooks.store.endpoint_rows import ENDPOINTS
from services.webhooks.store.rows import LOCK_ORDER

_DUE: Final = (DELIVERIES, RESENDS, ENDPOINTS)
"""When one of these has changed something may be due."""


def build(settings: WebhooksSettings, *, look_up: LookUp | None = None) -> Service:
    """Name what the service obeys, logs and answers, and start its dispatcher.

    Without a `look_up` names are resolved as the system does.

    Raises:
        ValueError: the ring of secret keys is malformed.
    """
    ring = KeyRing.parse(settings.secret_keys.get_secret_value(), entropy=os.urandom)
    letters = Letterbox.parse(settings.secret_keys.get_secret_value())
    wake, asked = asyncio.Event(), asyncio.Event()
    names = look_up or system_look_up()
    hosts = Hosts(names, allow_private=settings.allow_private)
    announcer = Announcer()

    def committed(decided: Sequence[Decided]) -> None:
        announcer.note(decided)
        if any(table in _DUE for item in decided for table, _ in item.decision.rows):
            wake.set()
        if any(table is REPLAYS for item in decided for table, _ in item.decision.rows):
            asked.set()

    async def replay(parts: Parts) -> None:
        await ReplayLoop(Replayer(parts.pool, parts.clock), asked, wake, settings.poll_seconds).run()

    async def keep(parts: Parts) -> None:
        log = DayKeeper(parts.pool, parts.clock, days.LOG, settings.events_kept_days)
        attempts = DayKeeper(parts.pool, parts.clock, days.ATTEMPTS, settings.attempts_kept_days)
        await Keeper(log, attempts, KEEPING_SECONDS).run()

    return Service(
        name="webhooks",
        schema=Schema(tables=LOCK_ORDER, committed=committed),
        use_cases={
            "CreateEndpoint": CreateEndpointUseCase(ring, letters, hosts.problem),
            "UpdateEndpoint": UpdateEndpointUseCase(hosts.problem, timedelta(seconds=settings.lease_seconds)),
            "SendTestEvent": send_test_event,
            "ResendDelivery": resend_delivery,
            "StartReplay": start_replay,
            "SteerReplay": steer_replay,
            "RotateSecret": RotateSecretUseCase(ring, letters),
            "DeleteEndpoint": delete_endpoint,
            **{name: LogEvent(name) for name in EVENTS},
        },
        readers={
            "GetAddress": readers.AddressReader(letters.address).get_address,
            "GetEndpoint": readers.get_endpoint,
            "ListEndpoints": readers.list_endpoints,
            "ListDeliveries": readers.list_deliveries,
            "GetEvidence": read_evidence.get_evidence,
            "GetDelivery": read_deliveries.get_delivery,
            "GetHealth": HealthReader(_breaker(settings)).get_health,
            "ListReplays": read_replays.list_replays,
            "GetReplay": read_replays.get_replay,
            "ListEvents": readers.list_events,
            "GetEvent": readers.get_event,
            "ReadLog": readers.read_log,
            "FindPosition": readers.find_position,
        },
        prepare=lambda _: hosts.prepare,
        loops=(_dispatching(settings, ring, wake, names), announcer.run, replay, keep),
    )


def _breaker(settings: WebhooksSettings) -> Breaker:
    return Breaker(settings.breaker_failures, settings.breaker_seconds, settings.disable_hours * 3_600)


def _dispatching(settings: WebhooksSettings, ring: KeyRing, wake: asyncio.Event, names: LookUp) -> Loop:
    dice = random.SystemRandom()
    policy = Policy(
        waits=settings.retry_seconds,
        lease=timedelta(seconds=settings.lease_seconds),
        breaker=_breaker(settings),
        spread=lambda: dice.uniform(-1.0, 1.0),
    )

    async def dispatch(parts: Parts) -> None:
        limits = open_sender(
            connections=settings.concurrency,
            timeout_seconds=settings.timeout_seconds,
            allow_private=settings.allow_private,
            look_up=names,
        )
        async with limits as sender:
            courier = Courier(parts.pool, sender, ring, parts.clock, parts.publisher.topology, policy)
            dispatcher = Dispatcher(
                courier,
                wake,
                concurrency=settings.concurrency,
                tenant_max=settings.tenant_concurrency,
                lane_max=settings.endpoint_concurrency,
                poll_seconds=settings.poll_seconds,
                housekeeping_seconds=settings.housekeeping_seconds,
            )
            await dispatcher.run()

    return dispatch
