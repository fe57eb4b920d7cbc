"""Give an endpoint another secret while the old one still signs, so that a receiver changes over without a gap."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from libs.common.contracts.commands.webhooks import RotateSecret
from libs.common.contracts.events.webhooks import EndpointEvent
from libs.common.contracts.replies.webhooks import SecretRotation
from libs.common.kernel.clock import wire_time
from libs.common.messaging.use_cases import Announce, Context, Decision, refuse
from libs.common.persistence.letters import Letterbox
from libs.common.persistence.sealing import KeyRing
from libs.common.persistence.state import Needs, State
from services.webhooks.domain.endpoints import Problem
from services.webhooks.domain.event_filters import aggregate_of
from services.webhooks.domain.secrets import live, rotation_problem, turn
from services.webhooks.domain.signing import secret_problem
from services.webhooks.handlers.views import no_endpoint, not_allowed
from services.webhooks.store.endpoint_rows import ENDPOINTS, SECRETS, EndpointRow, SecretRow


@dataclass(frozen=True, slots=True)
class RotateSecretUseCase:
    """Opens the secret's letter, and seals it with a ring. The reply never holds one: the inbox keeps replies."""

    ring: KeyRing
    letters: Letterbox

    def needs(self, message: RotateSecret, context: Context) -> Needs:
        """Lock the endpoint and see its secrets."""
        key = (context.tenant, message.endpoint_id)
        return Needs(rows=((ENDPOINTS, key),), under=((SECRETS, key),))

    def decide(self, state: State, message: RotateSecret, context: Context) -> Decision:
        """Add the secret and date those before it; those that have retired go."""
        key = (context.tenant, message.endpoint_id)
        endpoint, secrets = state.get(ENDPOINTS, key), state.under(SECRETS, key)
        if endpoint is None:
            return Decision(reply=no_endpoint(message.endpoint_id))
        secret = self.letters.open(message.letter, *key) if message.letter else message.secret
        problem = secret_problem(secret)
        if problem is not None:
            return Decision(reply=not_allowed(Problem("secret", problem)))
        obstacle = rotation_problem(secrets, context.now)
        if obstacle is not None:
            return refuse("INVALID_STATE", obstacle, current_state="ROTATING")
        sealed = self.ring.seal(secret.encode(), endpoint.tenant, endpoint.id)
        return self._rotated(endpoint, secrets, message, sealed, context)

    def _rotated(
        self, endpoint: EndpointRow, secrets: Sequence[SecretRow], message: RotateSecret, sealed: bytes, context: Context
    ) -> Decision:
        times = turn(context.now, stage_seconds=message.stage_seconds, overlap_seconds=message.overlap_seconds)
        changed = msgspec.structs.replace(endpoint, sequence=endpoint.sequence + 1, updated_at=context.now)
        signing = live(secrets, context.now)
        numbers = {row.number for row in signing}
        added = SecretRow(
            tenant=endpoint.tenant,
            endpoint_id=endpoint.id,
            number=1 + max(secret.number for secret in secrets),
            sealed=sealed,
            created_at=context.now,
            primary_at=times.signs_from,
            retires_at=None,
        )
        ending = (
            msgspec.structs.replace(secret, retires_at=min(times.previous_until, secret.retires_at or times.previous_until))
            for secret in signing
        )
        return Decision(
            reply=SecretRotation(endpoint.id, wire_time(times.signs_from), wire_time(times.previous_until)),
            rows=((ENDPOINTS, changed), *((SECRETS, row) for row in (*ending, added))),
            removed=tuple((SECRETS, SECRETS.key_of(row)) for row in secrets if row.number not in numbers),
            events=(
                Announce(
                    "webhook.secret_rotated",
                    aggregate_of(endpoint.id),
                    changed.sequence,
                    EndpointEvent(endpoint.id, endpoint.url),
                ),
            ),
        )
