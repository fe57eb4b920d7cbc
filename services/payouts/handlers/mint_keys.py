"""Make the keys of wallets: kept before anybody hears of them, and the same ones however often they are asked for."""

from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from libs.common.kernel.clock import Clock
from libs.common.kernel.errors import check
from libs.common.persistence.sealing import Entropy, KeyRing
from services.payouts.clients.key_provider import KeyProvider
from services.payouts.clients.keys import keypair_from
from services.payouts.clients.sealing import SEALING_VERSION, context_of, seal
from services.payouts.domain.signing import Mint, Minted, Refused
from services.payouts.domain.strkey import KEY_BYTES, seed_of
from services.payouts.store import secrets
from services.payouts.store.secrets import Known, Secret


@dataclass(frozen=True, slots=True)
class MintKeys:
    """Answers `Mint`; `legacy` opens secrets of before wallets had keys of their own, which are sealed anew here."""

    pool: asyncpg.Pool
    keys: KeyProvider
    legacy: KeyRing = field(repr=False)
    network: str
    entropy: Entropy = field(repr=False)
    clock: Clock

    async def __call__(self, asked: Mint) -> Minted | Refused:
        """Keep a key for each wallet that has none, and name the addresses."""
        if asked.network != self.network:
            return Refused("OTHER_NETWORK", f"keys are made for {self.network}, not for {asked.network}")
        names = [(wallet.tenant, wallet.wallet_id) for wallet in asked.wallets]
        async with self.pool.acquire() as connection, connection.transaction():
            lacking = [item for item in await secrets.known(connection, names) if _lacks(item)]
            if lacking:
                await secrets.keep(connection, await self._made(lacking))
            found = await secrets.known(connection, names)
        check(all(item.address for item in found), "a key was made and is not there")
        return Minted(tuple(item.address for item in found))

    async def _made(self, lacking: list[Known]) -> list[Secret]:
        now, current = self.clock.now(), self.keys.current
        drafts = [self._draft(item, now) for item in {(item.tenant, item.wallet_id): item for item in lacking}.values()]
        wrapped = await self.keys.wrap([(key, context) for _, key, context in drafts])
        return [
            Secret(*_head(draft), current.id, current.version, key, draft.sealed_seed, draft.created_at)
            for (draft, _, _), key in zip(drafts, wrapped, strict=True)
        ]

    def _draft(self, item: Known, now: datetime) -> tuple[Secret, bytes, bytes]:
        """Seal a seed: all of its row but who wraps the key, then the key, then what it is bound to."""
        seed = self._legacy_seed(item) if item.legacy_secret else self.entropy(KEY_BYTES)
        address = keypair_from(seed).public_key
        context = context_of(
            tenant=item.tenant, wallet_id=item.wallet_id, public_key=address, network=self.network, version=SEALING_VERSION
        )
        key, sealed = seal(seed, context, self.entropy)
        return Secret(item.tenant, item.wallet_id, address, self.network, SEALING_VERSION, "", 0, b"", sealed, now), key, context

    def _legacy_seed(self, item: Known) -> bytes:
        secret = self.legacy.open(item.legacy_secret, item.tenant, item.user_id, item.shown_address)
        return seed_of(secret.decode())


def _lacks(item: Known) -> bool:
    """Tell whether there is no key, or one that a wallet of before does not show: its own is still to be sealed anew."""
    return not item.address or bool(item.legacy_secret and item.address != item.shown_address)


def _head(draft: Secret) -> tuple[str, str, str, str, int]:
    return draft.tenant, draft.wallet_id, draft.public_key, draft.network, draft.version
