"""What the signer signs of a slot's envelopes, and what it refuses to somebody who can write rows and ask."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from stellar_sdk import FeeBumpTransactionEnvelope

from services.payouts.clients.envelopes import Network, build, bump
from services.payouts.clients.signer import SignerClient, SignerRefusedError
from services.payouts.domain.envelopes import Bounds, Built, Payment
from services.payouts.domain.slots import BID_MAX, Envelope, Kind
from services.payouts.store import envelopes
from tests.support.bank import Bank, bank
from tests.support.chain import PASSPHRASE, address
from tests.support.market import Refused
from tests.support.workers import settings, until

pytestmark = pytest.mark.integration
NETWORK = Network(PASSPHRASE, address("issuer"), address("treasury"), address("sponsor"))


@dataclass
class Slot:
    """A slot with one payment to Ana in it, which Horizon turns away, and the signer that is asked about it."""

    house: Bank
    client: SignerClient
    sequence: int
    bounds: Bounds

    @property
    def channel(self) -> str:
        return self.house.channels[0]

    def built(self, *payments: Payment, bid: int = 100, channel: str = "", network: Network = NETWORK) -> Built:
        return build(network, channel or self.channel, self.sequence, "USD", payments, bid=bid, bounds=self.bounds)

    async def store(self, built: Built, *, kind: Kind = "payment", inner: str = "", places: tuple[int, ...] = (0,)) -> Built:
        """Write the envelope as payouts would."""
        kept = Envelope(built.hash, inner or built.hash, 9, kind, frozenset(places), 100, self.bounds.max_ledger)
        owner = self.house.desk.owner
        async with owner.transaction():
            await owner.execute("SET LOCAL search_path TO payouts")
            now = await owner.fetchval("SELECT now()")
            await envelopes.add(owner, self.channel, self.sequence, kept, built, bounds=self.bounds, now=now)
        return built

    async def sign(self, built: Built) -> str:
        return await self.client.sign("withdrawal", built.hash, built.xdr)


ANA = Payment(address("ana"), 5 * 10**7)


@pytest.fixture
async def slot(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Slot]:
    async with bank(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as house:
        await house.clear()
        await house.chain.fault("try_again_later", when="before", match={"path": "/transactions_async"})
        async with house.desk.ledger(), house.payouts():
            await house.withdraw_all("ana")
            told = "SELECT sequence, max_ledger, max_time FROM payouts.envelopes WHERE told IS NOT NULL"
            sequence, max_ledger, max_time = await until(lambda: house.desk.owner.fetchrow(told))
            yield Slot(house, SignerClient(house.signer.socket), sequence, Bounds(max_ledger, max_time + 1))


async def test_what_the_rows_say_is_signed_also_another_time_and_with_a_higher_fee(slot: Slot) -> None:
    again = await slot.sign(await slot.store(slot.built(ANA)))
    await slot.sign(await slot.store(slot.built(), kind="tombstone", places=()))
    wrapped = await slot.store(bump(NETWORK, again, bid=1_000), inner=slot.built(ANA).hash)
    outer = FeeBumpTransactionEnvelope.from_xdr(await slot.sign(wrapped), PASSPHRASE)
    assert (len(outer.signatures), len(outer.transaction.inner_transaction_envelope.signatures)) == (1, 2)


async def test_what_the_rows_do_not_say_is_refused(slot: Slot) -> None:
    thief = replace(ANA, address=address("thief"))
    signed = await slot.sign(await slot.store(slot.built(ANA)))
    by_treasury = replace(NETWORK, sponsor=address("treasury"))
    inner = slot.built(ANA).hash
    for built, code in (
        (await slot.store(slot.built(thief)), "OTHER_OPERATIONS"),
        (await slot.store(slot.built(replace(ANA, amount=ANA.amount + 1))), "OTHER_OPERATIONS"),
        (await slot.store(slot.built(ANA, thief)), "OTHER_OPERATIONS"),
        (await slot.store(slot.built(ANA, thief, bid=103), places=(0, 1)), "UNKNOWN_INTENT"),
        (await slot.store(slot.built(replace(ANA, memo_type="text", memo="hi"))), "OTHER_MEMO"),
        (await slot.store(slot.built(ANA, channel=address("sponsor"))), "OTHER_SOURCE"),
        (await slot.store(slot.built(ANA, network=replace(NETWORK, treasury=address("ana")))), "OTHER_OPERATIONS"),
        (await slot.store(slot.built(ANA, network=replace(NETWORK, usdc_issuer=address("ana")))), "OTHER_OPERATIONS"),
        (await slot.store(slot.built(ANA, bid=BID_MAX + 1)), "FEE_TOO_HIGH"),
        (await slot.store(bump(by_treasury, signed, bid=1_000), inner=inner), "OTHER_SOURCE"),
        (await slot.store(bump(NETWORK, signed, bid=BID_MAX + 1), inner=inner), "FEE_TOO_HIGH"),
        (slot.built(ANA, bid=101), "UNKNOWN_INTENT"),
    ):
        with pytest.raises(SignerRefusedError, match=code):
            await slot.sign(built)
    closed = await slot.store(slot.built(ANA, bid=102))
    owner = slot.house.desk.owner
    await owner.execute("UPDATE payouts.slots SET state = 'VOID', transaction_hash = 'ab' WHERE sequence = $1", slot.sequence)
    with pytest.raises(SignerRefusedError, match="UNKNOWN_INTENT"):
        await slot.sign(closed)


async def test_a_channel_without_lumens_pays_at_the_sponsors_expense(
    tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str
) -> None:
    async with bank(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix), lumens="1") as house:
        await house.clear()
        async with house.desk.ledger(), house.ticking(), house.payouts():
            made = await house.withdraw_all("ana", "ben")
            await house.all_are(made, "COMPLETED")
            await house.is_right(made)
        assert {each["fee_account"] for each in await house.transactions()} == {address("sponsor")}


async def test_nobody_withdraws_to_an_account_of_the_platform(slot: Slot) -> None:
    for own in (slot.channel, address("treasury"), address("sponsor")):
        user = await slot.house.desk.user(balance=5)
        with pytest.raises(Refused, match="INVALID_DESTINATION"):
            await slot.house.desk.withdraw(user, 5, address=own)
