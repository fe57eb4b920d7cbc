"""A worker says what it can do, finishes what it took, and does not go on half alive."""

import asyncio
import dataclasses
from pathlib import Path

import aio_pika
import httpx
import pytest
from pydantic import SecretStr
from yarl import URL

from libs.common.contracts.queries.ledger import GetBalance
from libs.common.contracts.topology import Topology
from libs.common.kernel.ids import Tenant
from libs.common.messaging.worker import Parts
from libs.common.settings import ServiceSettings
from services.ledger.app import build
from tests.integration.amqp.steps import Proxy
from tests.support.workers import running, until

pytestmark = pytest.mark.integration


async def _dies(_: Parts) -> None:
    raise ValueError("nobody expected this")


async def test_a_background_loop_that_dies_breaks_its_worker(config: ServiceSettings) -> None:
    async with running(dataclasses.replace(build(), loops=(_dies,)), config) as worker:
        await asyncio.wait_for(worker.is_broken.wait(), 5)


async def test_the_side_door_tells_health_readiness_and_numbers(config: ServiceSettings, tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    with_port = config.model_copy(update={"health_port_file": str(port_file)})
    async with running(build(), with_port) as worker, httpx.AsyncClient() as client:
        base = f"http://127.0.0.1:{port_file.read_text()}"
        assert (await client.get(f"{base}/health")).json()["status"] == "alive"
        assert (await client.get(f"{base}/ready")).json() == {"status": "ready", "checks": {"broker": "ok", "database": "ok"}}
        await worker.rpc.query("ledger", GetBalance("usr_nobody"), tenant=Tenant("t:live"))
        assert "offerhub_bus_published_total" in (await client.get(f"{base}/metrics")).text
        worker.pool.terminate()

        async def not_ready() -> bool:
            answer = await client.get(f"{base}/ready")
            return answer.status_code == 503 and answer.json()["checks"]["broker"] == "ok"

        await until(not_ready)


class _Stumbling(Proxy):
    """Breaks the second connection off, a worker's consumers', after so many bytes from the broker."""

    def __init__(self, host: str, port: int, cut_after: int) -> None:
        super().__init__(host, port)
        self.served = 0
        self._left = cut_after

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.served += 1
        if self.served != 2:
            await super()._serve(reader, writer)
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        to_broker = asyncio.create_task(self._pump(reader, far_writer))
        while self._left > 0 and (data := await far_reader.read(self._left)):
            self._left -= len(data)
            writer.write(data)
        writer.transport.abort()
        await to_broker


@pytest.mark.parametrize("cut_after", [100, 400, 500, 600, 700])
async def test_a_broker_that_goes_away_while_a_worker_starts_is_begun_with_anew(config: ServiceSettings, cut_after: int) -> None:
    """Wherever in the beginning that is: the worker comes up, and consumes each queue once."""
    direct = config.amqp_url.get_secret_value()
    proxy = _Stumbling(URL(direct).host or "", URL(direct).port or 0, cut_after)
    queue = Topology(config.bus_prefix, config.queue_expires_ms).command_queue("ledger").name
    async with proxy.running(), await aio_pika.connect(direct) as connection:
        url = SecretStr(str(URL(direct).with_host("127.0.0.1").with_port(proxy.port)))
        async with running(build(), config.model_copy(update={"amqp_url": url})) as worker:
            assert proxy.served >= 3
            channel = await connection.channel()

            async def is_consumed_once() -> bool:
                declared = await channel.declare_queue(queue, passive=True)
                return declared.declaration_result.consumer_count == 1

            await until(is_consumed_once)
            assert (await worker.probe())["broker"] == "ok"


async def test_a_worker_that_is_stopped_as_the_broker_goes_away_ends_in_order(config: ServiceSettings) -> None:
    direct = URL(config.amqp_url.get_secret_value())
    proxy = Proxy(direct.host or "", direct.port or 0)
    async with proxy.running():
        url = SecretStr(str(direct.with_host("127.0.0.1").with_port(proxy.port)))
        async with running(build(), config.model_copy(update={"amqp_url": url})) as worker:
            proxy.cut()
        assert worker.pool.is_closing()
