"""A Horizon that lies: one lie after the other, and as a sample of `make chaos-lies` every lie once, two at a time."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.lies import LIES, stage
from tests.support.bank import Bank, bank
from tests.support.oracles import books_hold
from tests.support.workers import settings

pytestmark = pytest.mark.integration
PAIRS = tuple(zip(list(LIES)[::2], list(LIES)[1::2], strict=True))
ONE_BY_ONE: dict[str, dict[str, Any]] = {
    "504 after it was applied": {
        "fault": "gateway_timeout",
        "when": "accepted",
        "match": {"path": "/transactions_async"},
        "times": 2,
    },
    "a reset before it arrived": {"fault": "cut", "when": "before", "match": {"path": "/transactions_async"}, "times": 2},
    "a reset after it arrived": {"fault": "cut", "when": "accepted", "match": {"path": "/transactions_async"}, "times": 2},
    "half an answer": {"fault": "cut_midway", "match": {"path": "/transactions_async"}, "times": 2},
    "tx_bad_seq of what was taken": {
        "fault": "bad_sequence",
        "when": "accepted",
        "match": {"path": "/transactions_async"},
        "times": 2,
    },
    "tx_bad_seq of what was not": {
        "fault": "bad_sequence",
        "when": "before",
        "match": {"path": "/transactions_async"},
        "times": 2,
    },
    "a false 404 of a transaction": {"fault": "not_found", "match": {"path": "/transactions/*"}, "times": 5},
    "a false 404 of the channel": {"fault": "not_found", "match": {"path": "/accounts/*"}, "times": 5},
    "try again later": {"fault": "try_again_later", "when": "before", "match": {"path": "/transactions_async"}, "times": 2},
    "HTML": {"fault": "garbage", "match": {"path": "/*"}, "probability": 0.3, "seed": 7},
    "half the JSON": {"fault": "broken_json", "match": {"path": "/*"}, "probability": 0.3, "seed": 7},
    "too many requests": {"fault": "rate_limited", "match": {"path": "/*"}, "probability": 0.5, "seed": 7},
    "replicas that lag": {"fault": "lag", "lag": [0, 3, 1]},
    "the newest ledger twice": {"fault": "duplicate", "match": {"path": "/ledgers"}, "positions": [0], "times": 5},
    "no newest ledger": {"fault": "drop", "match": {"path": "/ledgers"}, "positions": [0], "times": 5},
    "a lost transaction": {"fault": "lose", "match": {"path": "/transactions_async"}, "times": 1},
}


@pytest.fixture
async def house(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Bank]:
    async with bank(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as opened:
        await opened.clear()
        yield opened


async def test_a_horizon_that_lies_makes_nobody_paid_twice(house: Bank) -> None:
    async with house.desk.ledger(), house.ticking(), house.payouts():
        for lie, rule in ONE_BY_ONE.items():
            name = await house.chain.fault(**rule)
            made = await house.withdraw_all("ana", "ben")
            await house.all_are(made, "COMPLETED")
            assert await house.chain.fired(name) > 0, lie
            await house.chain.http.delete("/sandbox/faults")
            await house.is_right(made)
    await books_hold(house.desk.owner)


async def test_whatever_two_lies_are_told_at_once_everybody_is_paid_once_and_credited_once(
    tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str
) -> None:
    async with stage(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as opened:
        for pair in PAIRS:
            await opened.play(pair, seed=1)
        await opened.settle_up()
    assert opened.seen.breaches == []
    assert opened.seen.plays == len(PAIRS)
