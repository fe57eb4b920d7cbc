"""What each method that is not on the hot path does: one function a method, from the decoded frame to the answer."""

import secrets
from collections.abc import Callable
from typing import Any

from pamqp import base, commands

from deploy.local.amqp.channel import Channel
from deploy.local.amqp.consumers import Consumer
from deploy.local.amqp.errors import (
    ACCESS_REFUSED,
    NOT_ALLOWED,
    NOT_IMPLEMENTED,
    ChannelError,
    ConnectionFault,
)
from deploy.local.amqp.vhost import DEFAULT_EXCHANGE

Handler = Callable[[Channel, Any, object], base.Frame | None]
"""(channel, method, connection) → the answer; None when `nowait` is set or the method has none."""

DIRECT_REPLY_TO = "amq.rabbitmq.reply-to"


def exchange_declare(channel: Channel, method: commands.Exchange.Declare, _: object) -> base.Frame | None:
    if method.passive:
        if method.exchange != DEFAULT_EXCHANGE:
            channel.vhost.exchange(method.exchange)
    else:
        _refuse_arguments(method.arguments, "exchange")
        channel.vhost.declare_exchange(
            method.exchange,
            method.exchange_type,
            durable=bool(method.durable),
            auto_delete=bool(method.auto_delete),
            internal=bool(method.internal),
        )
    return None if method.nowait else commands.Exchange.DeclareOk()


def exchange_delete(channel: Channel, method: commands.Exchange.Delete, _: object) -> base.Frame | None:
    channel.vhost.delete_exchange(method.exchange, if_unused=bool(method.if_unused))
    return None if method.nowait else commands.Exchange.DeleteOk()


def queue_declare(channel: Channel, method: commands.Queue.Declare, connection: object) -> base.Frame | None:
    if method.passive and method.queue == DIRECT_REPLY_TO:
        return commands.Queue.DeclareOk(DIRECT_REPLY_TO, 0, 0)  # FastStream asks for it at every start, to use it or not
    if method.passive:
        queue = channel.vhost.queue(channel.resolve(method.queue), connection)
        queue.touch()
    else:
        queue = channel.vhost.declare_queue(
            method.queue,
            connection,
            durable=bool(method.durable),
            exclusive=bool(method.exclusive),
            auto_delete=bool(method.auto_delete),
            arguments=method.arguments or {},
        )
    channel.last_queue = queue.name
    return None if method.nowait else commands.Queue.DeclareOk(queue.name, len(queue.ready), len(queue.consumers))


def queue_bind(channel: Channel, method: commands.Queue.Bind, connection: object) -> base.Frame | None:
    _refuse_arguments(method.arguments, "binding")
    queue = channel.vhost.queue(channel.resolve(method.queue), connection)
    channel.vhost.bind(queue, method.exchange, method.routing_key)
    return None if method.nowait else commands.Queue.BindOk()


def queue_unbind(channel: Channel, method: commands.Queue.Unbind, connection: object) -> base.Frame | None:
    queue = channel.vhost.queue(channel.resolve(method.queue), connection)
    channel.vhost.unbind(queue, method.exchange, method.routing_key)
    return commands.Queue.UnbindOk()


def queue_purge(channel: Channel, method: commands.Queue.Purge, connection: object) -> base.Frame | None:
    count = channel.vhost.queue(channel.resolve(method.queue), connection).purge()
    return None if method.nowait else commands.Queue.PurgeOk(count)


def queue_delete(channel: Channel, method: commands.Queue.Delete, connection: object) -> base.Frame | None:
    count = channel.vhost.delete_queue(
        channel.resolve(method.queue), connection, if_unused=bool(method.if_unused), if_empty=bool(method.if_empty)
    )
    return None if method.nowait else commands.Queue.DeleteOk(count)


def basic_qos(channel: Channel, method: commands.Basic.Qos, _: object) -> base.Frame | None:
    if method.prefetch_size:
        raise ChannelError(NOT_IMPLEMENTED, "basic.qos: prefetch_size is not supported")
    if method.global_:
        channel.shared_prefetch = method.prefetch_count
        channel.wake_consumers()
    else:
        channel.default_prefetch = method.prefetch_count
    return commands.Basic.QosOk()


def basic_consume(channel: Channel, method: commands.Basic.Consume, connection: object) -> base.Frame | None:
    if method.queue == DIRECT_REPLY_TO:
        raise ChannelError(NOT_IMPLEMENTED, f"basic.consume: {DIRECT_REPLY_TO} is not supported by the embedded broker")
    _refuse_arguments(method.arguments, "consumer")
    queue = channel.vhost.queue(channel.resolve(method.queue), connection)
    tag = method.consumer_tag or f"amq.ctag-{secrets.token_urlsafe(16)}"
    if tag in channel.consumers:
        raise ConnectionFault(NOT_ALLOWED, f"attempt to reuse consumer tag '{tag}'")
    if any(one.exclusive for one in queue.consumers) or (method.exclusive and queue.consumers):
        raise ChannelError(ACCESS_REFUSED, f"queue '{queue.name}' in vhost '{channel.vhost.name}' in exclusive use")
    consumer = Consumer(
        tag=tag,
        queue=queue,
        outlet=channel,
        no_ack=bool(method.no_ack),
        exclusive=bool(method.exclusive),
        prefetch=channel.default_prefetch,
    )
    channel.start(consumer, announce=None if method.nowait else commands.Basic.ConsumeOk(tag))
    return None


def basic_cancel(channel: Channel, method: commands.Basic.Cancel, _: object) -> base.Frame | None:
    tag = method.consumer_tag or ""
    channel.cancel(tag)
    return None if method.nowait else commands.Basic.CancelOk(tag)


def basic_get(channel: Channel, method: commands.Basic.Get, connection: object) -> base.Frame | None:
    queue = channel.vhost.queue(channel.resolve(method.queue), connection)
    return None if channel.get(queue, no_ack=bool(method.no_ack)) else commands.Basic.GetEmpty()


def basic_reject(channel: Channel, method: commands.Basic.Reject, _: object) -> None:
    channel.reject(method.delivery_tag or 0, multiple=False, requeue=bool(method.requeue))


def basic_nack(channel: Channel, method: commands.Basic.Nack, _: object) -> None:
    channel.reject(method.delivery_tag, multiple=bool(method.multiple), requeue=bool(method.requeue))


def basic_recover(channel: Channel, method: commands.Basic.Recover, _: object) -> base.Frame | None:
    if not method.requeue:
        raise ChannelError(NOT_IMPLEMENTED, "basic.recover: requeue = false is not supported")
    channel.recover()
    return commands.Basic.RecoverOk()


def confirm_select(channel: Channel, method: commands.Confirm.Select, _: object) -> base.Frame | None:
    channel.confirms = True
    return None if method.nowait else commands.Confirm.SelectOk()


def channel_flow(_channel: Channel, method: commands.Channel.Flow, _: object) -> base.Frame | None:
    if not method.active:
        raise ChannelError(NOT_IMPLEMENTED, "channel.flow: active = false is not supported")
    return commands.Channel.FlowOk(active=True)


def _refuse_arguments(arguments: dict[str, Any] | None, what: str) -> None:
    for name in arguments or {}:
        if name.startswith(("x-", "alternate-")):
            raise ChannelError(NOT_IMPLEMENTED, f"{what} argument '{name}' is not supported by the embedded broker")


HANDLERS: dict[str, Handler] = {
    "Exchange.Declare": exchange_declare,
    "Exchange.Delete": exchange_delete,
    "Queue.Declare": queue_declare,
    "Queue.Bind": queue_bind,
    "Queue.Unbind": queue_unbind,
    "Queue.Purge": queue_purge,
    "Queue.Delete": queue_delete,
    "Basic.Qos": basic_qos,
    "Basic.Consume": basic_consume,
    "Basic.Cancel": basic_cancel,
    "Basic.Get": basic_get,
    "Basic.Reject": basic_reject,
    "Basic.Nack": basic_nack,
    "Basic.Recover": basic_recover,
    "Confirm.Select": confirm_select,
    "Channel.Flow": channel_flow,
}
