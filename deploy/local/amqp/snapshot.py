import os
from pathlib import Path

import msgspec

from deploy.local.amqp.errors import SnapshotError
from deploy.local.amqp.exchanges import Exchange, ExchangeKind, ExchangeSettings
from deploy.local.amqp.messages import Entry, Message
from deploy.local.amqp.properties import is_persistent
from deploy.local.amqp.queues import Queue
from deploy.local.amqp.settings import QueueSettings
from deploy.local.amqp.vhost import PREDECLARED, VirtualHost

VERSION = 1


class SavedEntry(msgspec.Struct, frozen=True, array_like=True):
    address: bytes
    properties: bytes
    body: bytes
    delivery_count: int
    redelivered: bool
    expires_at_unix: float | None


class SavedQueue(msgspec.Struct, frozen=True):
    name: str
    settings: QueueSettings
    entries: list[SavedEntry]


class SavedExchange(msgspec.Struct, frozen=True):
    name: str
    kind: ExchangeKind
    auto_delete: bool
    internal: bool
    bindings: list[tuple[str, str]]


class SavedVirtualHost(msgspec.Struct, frozen=True):
    name: str
    exchanges: list[SavedExchange]
    queues: list[SavedQueue]


class Snapshot(msgspec.Struct, frozen=True):
    """Durable exchanges and queues, their bindings, and the persistent messages in them, oldest first."""

    version: int
    vhosts: list[SavedVirtualHost]


def write(path: Path, snapshot: Snapshot) -> None:
    """All or nothing: a crash half-way leaves the file that was there."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("wb") as file:
        file.write(msgspec.msgpack.encode(snapshot))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read(path: Path) -> Snapshot | None:
    """The snapshot, or None without a file; raises SnapshotError when it cannot be read."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SnapshotError(f"cannot read {path}: {error}") from error
    try:
        snapshot = msgspec.msgpack.decode(raw, type=Snapshot)
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"{path} is not a broker state file: {error}") from error
    if snapshot.version != VERSION:
        raise SnapshotError(f"{path} has version {snapshot.version}, this broker reads {VERSION}")
    return snapshot


def retire(path: Path) -> None:
    """Puts a loaded file aside: were it read again after a crash, messages long handled would come back."""
    path.replace(path.with_name(f"{path.name}.loaded"))


def take(vhosts: list[VirtualHost], *, loop_now: float, unix_now: float) -> Snapshot:
    """What survives an orderly stop. Call after the last connection ended, when every delivery is back in its queue."""
    return Snapshot(VERSION, [_save_vhost(vhost, unix_now - loop_now) for vhost in vhosts])


def _save_vhost(vhost: VirtualHost, loop_to_unix: float) -> SavedVirtualHost:
    queues = {queue.name: queue for queue in vhost.queues.values() if queue.settings.durable and queue.owner is None}
    exchanges = [exchange for exchange in vhost.exchanges.values() if exchange.settings.durable]
    return SavedVirtualHost(
        vhost.name,
        [_save_exchange(exchange, queues) for exchange in exchanges],
        [SavedQueue(queue.name, queue.settings, _save_entries(queue, loop_to_unix)) for queue in queues.values()],
    )


def _save_exchange(exchange: Exchange, queues: dict[str, Queue]) -> SavedExchange:
    settings = exchange.settings
    bindings = [(queue, key) for queue, key in exchange.bindings() if queue in queues]
    return SavedExchange(exchange.name, settings.kind, settings.auto_delete, settings.internal, bindings)


def _save_entries(queue: Queue, loop_to_unix: float) -> list[SavedEntry]:
    return [
        SavedEntry(
            entry.message.address,
            entry.message.properties,
            entry.message.body,
            entry.delivery_count,
            entry.redelivered,
            None if entry.expires_at is None else entry.expires_at + loop_to_unix,
        )
        for entry in queue.ready
        if queue.is_quorum or is_persistent(entry.message.properties)
    ]


def restore(saved: SavedVirtualHost, vhost: VirtualHost, *, loop_now: float, unix_now: float) -> None:
    for queue in saved.queues:
        fresh = vhost.add_queue(queue.name, queue.settings)
        for one in queue.entries:
            expires_at = None if one.expires_at_unix is None else one.expires_at_unix - unix_now + loop_now
            entry = Entry(Message(one.address, one.properties, one.body), 0, expires_at)
            entry.delivery_count = one.delivery_count
            entry.redelivered = one.redelivered
            fresh.restore(entry)
    for exchange in saved.exchanges:
        if exchange.name not in PREDECLARED:
            settings = ExchangeSettings(
                kind=exchange.kind, durable=True, auto_delete=exchange.auto_delete, internal=exchange.internal
            )
            vhost.exchanges[exchange.name] = Exchange(exchange.name, settings)
        for queue_name, key in exchange.bindings:
            vhost.exchanges[exchange.name].bind(queue_name, key)
