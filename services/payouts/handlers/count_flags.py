"""Counts the withdrawals that were announced as unusual."""

from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter

from libs.common.contracts.events.payouts import WithdrawalFlagged
from libs.common.messaging.batch import Decided

FLAGGED: Final = Counter("offerhub_withdrawals_flagged_total", "Withdrawals with something unusual about them", ["reason"])


def count_flags(decided: Sequence[Decided]) -> None:
    """Count what a batch that was committed announced."""
    for item in decided:
        for event in item.decision.events:
            if isinstance(event.data, WithdrawalFlagged):
                for reason in event.data.reasons:
                    FLAGGED.labels(reason).inc()
