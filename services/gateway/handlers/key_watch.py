"""Whether keys that were good when something long began still are."""

from collections.abc import Collection

from libs.common.kernel.clock import Clock
from services.gateway.domain.access import MASTER_ID
from services.gateway.store.key_uses import KeyUses
from services.gateway.store.keys import KeyName, Keys


class KeyWatch:
    """Looks many keys up with one statement that returns only those that have ended."""

    def __init__(self, keys: Keys, uses: KeyUses, clock: Clock) -> None:
        """Watch the keys of this store; those that are still good were used just now."""
        self._keys = keys
        self._uses = uses
        self._clock = clock

    async def ended(self, names: Collection[KeyName]) -> set[KeyName]:
        """Return the keys, by (tenant, id), that are revoked, over or gone; the master key never is.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: the database can't be asked now.
        """
        watched = [name for name in names if name[1] != MASTER_ID]
        if not watched:
            return set()
        now = self._clock.now()
        ended = await self._keys.ended(watched, now=now)
        for name in watched:
            if name not in ended:
                self._uses.note(*name, now)
        return ended
