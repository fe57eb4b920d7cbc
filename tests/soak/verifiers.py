"""What receivers use to verify a delivery: the published libraries, and the documented check by hand; in Python and in Node."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

LIBRARY: Final = "standardwebhooks on PyPI"
BY_HAND: Final = "X-OfferHub-Signature by hand, Python"
NODE_LIBRARY: Final = "standardwebhooks on npm"
NODE_BY_HAND: Final = "X-OfferHub-Signature by hand, Node"
PYTHON: Final = (LIBRARY, BY_HAND)
NODE: Final = (NODE_LIBRARY, NODE_BY_HAND)
_PROGRAM: Final = Path(__file__).with_name("verify.mjs")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What arrived, and what its receiver knew at that moment: one key for the libraries, the texts it takes by hand."""

    key: str
    secrets: Sequence[str]
    headers: dict[str, str]
    body: bytes

    def forged(self) -> "Delivery":
        """Return it with one bit of its body turned over."""
        return Delivery(self.key, self.secrets, self.headers, bytes([self.body[0] ^ 1]) + self.body[1:])


def in_python(delivery: Delivery) -> dict[str, bool]:
    """Say which of the checks in Python accept it."""
    try:
        Webhook(delivery.key).verify(delivery.body, delivery.headers)
        accepted = True
    except (WebhookVerificationError, UnicodeDecodeError, json.JSONDecodeError):
        accepted = False
    said = delivery.headers.get("x-offerhub-signature", "").encode()
    signed = ("sha256=" + hmac.new(text.encode(), delivery.body, hashlib.sha256).hexdigest() for text in delivery.secrets)
    return {LIBRARY: accepted, BY_HAND: any(hmac.compare_digest(said, one.encode()) for one in signed)}


@dataclass(slots=True)
class Node:
    """One Node process that answers in the order in which it is asked."""

    version: str
    _process: asyncio.subprocess.Process
    _asked: deque[asyncio.Future[dict[str, bool]]] = field(default_factory=deque)

    async def verify(self, delivery: Delivery) -> dict[str, bool]:
        """Say which of the checks in Node accept it."""
        assert self._process.stdin is not None
        body = base64.b64encode(delivery.body).decode()
        asked = {"key": delivery.key, "secrets": list(delivery.secrets), "headers": delivery.headers, "body": body}
        answer: asyncio.Future[dict[str, bool]] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        await self._process.stdin.drain()
        return await answer

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            library, by_hand = json.loads(line)
            self._asked.popleft().set_result({NODE_LIBRARY: library, NODE_BY_HAND: by_hand})
        for answer in self._asked:
            answer.set_exception(RuntimeError("node has ended"))


@contextlib.asynccontextmanager
async def node(modules: Path) -> AsyncIterator[Node]:
    """Run a Node process for a block, with the npm package that is installed in `modules`."""
    process = await asyncio.create_subprocess_exec(
        "node", str(_PROGRAM), f"{modules}/", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    running = Node((await process.stdout.readline()).decode().strip(), process)
    reading = asyncio.create_task(running._read())
    try:
        yield running
    finally:
        reading.cancel()
        process.kill()
        await process.wait()
