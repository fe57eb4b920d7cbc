"""The numbers every process counts; services add their own beside these."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 400)

PUBLISHED = Counter("offerhub_bus_published_total", "Envelopes published, by outcome", ["outcome"])
FRAME_ENVELOPES = Histogram("offerhub_bus_frame_envelopes", "Envelopes in a published frame", buckets=_SIZES)
RPC_SECONDS = Histogram("offerhub_rpc_seconds", "Time from a question to its answer", ["service"], buckets=_SECONDS)
BATCH_ENVELOPES = Histogram("offerhub_write_batch_envelopes", "Envelopes committed together", buckets=_SIZES)
BATCH_SECONDS = Histogram("offerhub_write_batch_seconds", "Time of one write transaction", buckets=_SECONDS)
HANDLED = Counter("offerhub_write_envelopes_total", "Envelopes handled, by type and outcome", ["type", "outcome"])
RERUNS = Counter("offerhub_write_reruns_total", "Batches run again, by cause", ["cause"])
RETRIED = Counter("offerhub_write_retried_total", "Envelopes sent to wait in the retry queue", ["type"])
DEAD = Counter("offerhub_write_dead_total", "Envelopes parked among the dead letters", ["type"])
SET_ASIDE = Counter("offerhub_backlog_set_aside_total", "Envelopes of a tenant that crowds the others, put on the backlog queue")
OUTBOX_RELAYED = Counter("offerhub_outbox_relayed_total", "Outbox rows that the relay had to publish")
OUTBOX_OLDEST = Gauge("offerhub_outbox_oldest_seconds", "Age of the oldest unpublished outbox row")
PENDING_OLDEST = Gauge("offerhub_pending_oldest_seconds", "Age of the oldest intent that awaits its answer")
STUCK_INTENTS = Gauge("offerhub_pending_stuck", "Intents re-sent more often than the alarm limit")
