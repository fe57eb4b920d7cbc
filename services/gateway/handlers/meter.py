"""Count a request once, where it is known that it is no repeat."""

from libs.common.persistence.gathering import StoreUnavailableError
from services.gateway.clients.rate_limits import REFUSED, UNCOUNTED, RateLimits
from services.gateway.domain.errors import ApiError
from services.gateway.domain.limits import Hit, Quota, Rule, tightest


class Meter:
    """What one request counts for."""

    def __init__(self, limits: RateLimits | None = None, *, is_write: bool = True) -> None:
        """Count with these limits, if any; nothing is counted yet."""
        self._limits = limits
        self._is_write = is_write
        self._hits: tuple[Hit, ...] = ()
        self.quota: Quota | None = None
        """Where the caller stands, once that is known: the tightest of the request's rules."""

    @property
    def is_due(self) -> bool:
        """Tell whether something is left to count."""
        return bool(self._hits)

    @property
    def is_spent(self) -> bool:
        """Tell whether counting would refuse the request, as far as this process knows."""
        return self._limits is not None and self._limits.spent(*self._hits) is not None

    def owe(self, rule: Rule | None, whose: str) -> None:
        """Have the request counted under a rule; without one, under the general rule."""
        if self._limits is not None:
            self._hits += (Hit(rule or self._limits.general, whose),)

    async def count(self) -> None:
        """Count what is owed.

        Raises:
            ApiError: RATE_LIMITED; SERVICE_UNAVAILABLE for a write that can't be counted, because it could be one too many.
        """
        hits, self._hits = self._hits, ()
        if self._limits is None or not hits:
            return
        try:
            quota = await self._limits.hit(*hits)
        except StoreUnavailableError as error:
            UNCOUNTED.labels("refused" if self._is_write else "admitted").inc()
            if self._is_write:
                raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error
            return
        self.quota = quota if self.quota is None else tightest((self.quota, quota))
        if quota.is_exceeded:
            REFUSED.labels(quota.rule.name).inc()
            refusal = ApiError("RATE_LIMITED", quota.rule.message, retry_after=quota.retry_after, limit=quota.rule.amount)
            refusal.details["retry_after"] = quota.retry_after
            raise refusal

    async def forgive(self) -> None:
        """Leave what is owed uncounted, and only look where the caller stands."""
        hits, self._hits = self._hits, ()
        if self._limits is None or not hits:
            return
        try:
            self.quota = await self._limits.look(*hits)
        except StoreUnavailableError:
            return
