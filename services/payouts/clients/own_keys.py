"""The platform's own keys, which only the signer holds: the sponsor, the treasury, and the channels derived from the sponsor."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from services.payouts.clients.keys import keypair_from
from services.payouts.domain.signing import Accounts
from services.payouts.domain.strkey import seed_of


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """Seeds by address, and whose address is whose."""

    accounts: Accounts
    seeds: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def derive(cls, *, sponsor: str, treasury: str, channels: int, passphrase: str) -> Self:
        """Take the two secrets, and derive a channel's seed from the sponsor's, the network and the channel's number.

        A channel holds no users' money, and losing the sponsor's secret loses the channels anyway.
        """
        seeds = [seed_of(sponsor), seed_of(treasury)]
        for number in range(1, channels + 1):
            name = f"offerhub channel {number} on {passphrase}".encode()
            seeds.append(hmac.new(seeds[0], name, hashlib.sha256).digest())
        addresses = [keypair_from(seed).public_key for seed in seeds]
        accounts = Accounts(addresses[0], addresses[1], tuple(addresses[2:]))
        return cls(accounts, dict(zip(addresses, seeds, strict=True)))
