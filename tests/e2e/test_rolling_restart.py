"""An operator replaces the gateways while clients work; nobody notices more than a connection that ends."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.local.processes import Identity
from tests.e2e.conftest import read_run_env
from tests.support.patient import Patient, Seen
from tests.support.raw import request

pytestmark = pytest.mark.e2e
CLIENTS = 6
PAUSE_SECONDS = 0.01
"""Between a client's requests: the new gateways need a core to start on."""
LAUNCH = (sys.executable, "-m", "deploy.local")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a small stack of its own: two gateways and a ledger."""
    told = os.environ | {
        "OFFERHUB_STATE_DIR": str(tmp_path / "state"),
        "PORT": "0",
        "OFFERHUB_RATE_LIMITS": "off",
        "OFFERHUB_PROCESSES": "gateway=2,ledger=1,escrow=0,payouts=0,webhooks=0",
    }
    subprocess.run([*LAUNCH, "start"], env=told, check=True, timeout=120)
    yield told
    subprocess.run([*LAUNCH, "clean"], env=told, check=True, timeout=60)


async def test_gateways_are_replaced_one_by_one_and_no_answer_is_lost_or_done_twice(environment: dict[str, str]) -> None:
    run_env = Path(environment["OFFERHUB_STATE_DIR"]) / "run.env"
    before = read_run_env(run_env)
    address = urlsplit(before["OFFERHUB_API_URL"])
    assert address.port
    seen, keys = Seen(), [0]
    bearer = f"Bearer {before['OFFERHUB_SUPPORT_KEY']}"
    opener = Patient(address.port, seen)
    made = await opener.ask(request("POST", "/users", b'{"external_user_id": "ana"}', Authorization=bearer))
    user = made.json()["data"]["id"]
    restarted = asyncio.Event()

    async def work() -> None:
        client = Patient(address.port or 0, seen)
        while not restarted.is_set():
            keys[0] += 1
            body = b'{"amount": "1.00", "currency": "USD", "reference": "rolling"}'
            credit = request("POST", f"/users/{user}/balance/credit", body, Authorization=bearer, Idempotency_Key=f"r{keys[0]}")
            await client.ask(credit)
            await client.ask(request("GET", f"/users/{user}/balance", Authorization=bearer))
            await asyncio.sleep(PAUSE_SECONDS)
        client.leave()

    clients = [asyncio.create_task(work()) for _ in range(CLIENTS)]
    restart = await asyncio.create_subprocess_exec(*LAUNCH, "restart", "gateway", env=environment)
    assert await asyncio.wait_for(restart.wait(), 120) == 0
    restarted.set()
    await asyncio.gather(*clients)

    assert seen.torn == []
    assert Counter(seen.answers).keys() == {200, 201}
    balance = await opener.ask(request("GET", f"/users/{user}/balance", Authorization=bearer))
    assert balance.json()["data"]["balances"][0]["available"] == f"{keys[0]}.00"
    opener.leave()
    after = read_run_env(run_env)
    for gateway in ("OFFERHUB_PID_GATEWAY_1", "OFFERHUB_PID_GATEWAY_2"):
        assert before[gateway] != after[gateway]
        assert Identity.of(int(before[gateway])) is None
        assert Identity.of(int(after[gateway])) is not None
    assert before["OFFERHUB_PID_LEDGER_1"] == after["OFFERHUB_PID_LEDGER_1"]
    status = await asyncio.create_subprocess_exec(*LAUNCH, "status", env=environment)
    assert await status.wait() == 0
    print(f"{len(seen.answers)} answers, {seen.unanswered} attempts without one")
