"""No delivery reaches an address that is not public, whatever the name says and whenever it says it."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from libs.common.contracts.commands.webhooks import CreateEndpoint
from libs.common.kernel.clock import SystemClock
from libs.common.kernel.ids import Tenant, new_id
from services.webhooks.app import build
from services.webhooks.clients.names import AddressRefusedError, CheckedResolver, LookUp, public_socket
from services.webhooks.clients.sender import Response, open_sender
from services.webhooks.domain.endpoints import NOT_PUBLIC
from services.webhooks.handlers.know_hosts import Hosts
from services.webhooks.settings import WebhooksSettings
from tests.support.events import event, publish
from tests.support.receiver import Receiver, saying
from tests.support.webhooks import SECRET, register, states
from tests.support.workers import running, until

pytestmark = pytest.mark.integration
REFUSED = f"address: {NOT_PUBLIC}"


def saying_in_turn(*answers: Sequence[str]) -> LookUp:
    """A resolver that gives these answers one after the other, and the last one ever after."""
    left = list(answers)

    async def look_up(_: str) -> list[str]:
        return list(left.pop(0) if len(left) > 1 else left[0])

    return look_up


async def _post(url: str, look_up: LookUp, *, tls: ssl.SSLContext | None = None, allow_private: bool = False) -> Response:
    async with open_sender(connections=4, timeout_seconds=5, allow_private=allow_private, look_up=look_up, tls=tls) as sender:
        return await sender.post(url, body=b"{}", headers={})


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["2606:4700::1111", "fd00::1"]],
)
async def test_a_name_with_any_private_address_is_not_dialled(receiver: Receiver, addresses: list[str]) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    response = await _post(f"https://hook.example:{port}/", saying_in_turn(addresses))
    assert (response.status, response.error) == (None, REFUSED)
    assert receiver.received == []


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["2606:4700::1111", "::ffff:8.8.8.8"]])
async def test_the_resolver_refuses_a_name_before_anything_is_dialled(addresses: list[str]) -> None:
    with pytest.raises(AddressRefusedError):
        await CheckedResolver(saying_in_turn(addresses), allow_private=False).resolve("hook.example", 443)


async def test_a_name_whose_addresses_are_all_public_is_resolved_to_them() -> None:
    resolver = CheckedResolver(saying_in_turn(["1.1.1.1", "2606:4700::1111"]), allow_private=False)
    assert [found["host"] for found in await resolver.resolve("hook.example", 443)] == ["1.1.1.1", "2606:4700::1111"]
    assert [found["host"] for found in await resolver.resolve("hook.example", 443, socket.AF_INET6)] == ["2606:4700::1111"]


@pytest.mark.parametrize("url", ["https://127.0.0.1:{}/", "https://[::1]:{}/", "http://1.1.1.1:{}/", "https://2130706433:{}/"])
async def test_a_url_that_was_saved_under_another_setting_is_not_dialled(receiver: Receiver, url: str) -> None:
    response = await _post(url.format(receiver.url.split(":")[2].split("/")[0]), saying_in_turn(["127.0.0.1"]))
    assert response.error is not None
    assert response.error.startswith("url: ")
    assert receiver.received == []


def test_the_socket_itself_refuses_what_slipped_through() -> None:
    with pytest.raises(OSError, match="not public"):
        public_socket((2, 1, 6, "", ("127.0.0.1", 443)))


async def test_a_name_that_turns_private_after_it_was_saved_is_not_dialled(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    public = config.model_copy(update={"allow_private": False, "retry_seconds": ()})
    rebinding = saying_in_turn(["93.184.216.34"], ["127.0.0.1"])
    port = receiver.url.split(":")[2].split("/")[0]
    async with running(build(public, look_up=rebinding), public) as worker:
        endpoint = await register(worker, tenant, f"https://hook.example:{port}/")
        await publish(public, [[event(tenant, "order:a", 1)]])

        async def is_given_up() -> bool:
            return await states(owner, tenant, endpoint.id) == ["EXHAUSTED"]

        await until(is_given_up)
    assert await owner.fetchval("SELECT error FROM webhooks.attempts WHERE tenant = $1", tenant) == REFUSED
    assert receiver.received == []


async def test_a_name_of_a_private_network_is_refused_at_once(config: WebhooksSettings, tenant: Tenant) -> None:
    public = config.model_copy(update={"allow_private": False})
    command = CreateEndpoint(new_id("wh"), "https://inside.example/", ("*",), SECRET)
    async with running(build(public, look_up=saying_in_turn(["10.0.0.7"])), public) as worker:
        reply = await worker.rpc.command("webhooks", command, tenant=tenant, command_id=new_id("cmd"))
    assert reply.refusal is not None
    assert reply.refusal.details == {"fields": [{"field": "url", "message": NOT_PUBLIC}]}


async def test_a_name_that_does_not_resolve_or_is_slow_is_taken() -> None:
    async def look_up(host: str) -> list[str]:
        if host.startswith("slow"):
            await asyncio.Event().wait()
        raise OSError

    hosts = Hosts(look_up, allow_private=False)
    urls = ["https://slow.example/", "https://nowhere.example/"]
    commands = [CreateEndpoint(f"wh_{number}", url, ("*",), SECRET) for number, url in enumerate(urls)]
    await hosts.prepare([SimpleNamespace(message=command) for command in commands])  # type: ignore[misc]
    assert [hosts.problem(url) for url in urls] == [None, None]


async def test_a_redirect_to_a_private_address_is_an_answer_and_nothing_more(receiver: Receiver) -> None:
    receiver.answer = saying(307, Location="http://169.254.169.254/latest/meta-data")
    response = await _post(receiver.url, saying_in_turn(["127.0.0.1"]), allow_private=True)
    assert (response.status, len(receiver.received)) == (307, 1)


async def test_headers_without_end_are_not_read(receiver: Receiver) -> None:
    receiver.answer = saying(200, Long="x" * 8_000)
    response = await _post(receiver.url, saying_in_turn(["127.0.0.1"]), allow_private=True)
    assert (response.status, response.error) == (None, "protocol: ClientResponseError")


async def test_the_name_of_the_url_is_what_host_and_certificate_are_about(tmp_path: Path) -> None:
    """The name leads to loopback here, and the certificate is of the name alone."""
    hosts: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        hosts.append(request.headers["Host"])
        return web.Response()

    server, client = _certified("hook.example", tmp_path)
    application = web.Application()
    application.router.add_post("/", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server)
    await site.start()
    port = runner.addresses[0][1]
    try:
        loopback = saying_in_turn(["127.0.0.1"])
        right = await _post(f"https://hook.example:{port}/", loopback, tls=client, allow_private=True)
        wrong = await _post(f"https://other.example:{port}/", loopback, tls=client, allow_private=True)
    finally:
        await runner.cleanup()
    assert (right.status, hosts) == (200, [f"hook.example:{port}"])
    assert wrong.error == "tls: ClientConnectorCertificateError"


def _certified(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for the name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = SystemClock().now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    path.write_bytes(
        pem + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=pem.decode())
