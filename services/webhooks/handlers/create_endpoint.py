"""Register an endpoint and seal its secret."""

from collections.abc import Callable
from dataclasses import dataclass

from libs.common.contracts.commands.webhooks import CreateEndpoint
from libs.common.contracts.events.webhooks import EndpointEvent
from libs.common.messaging.use_cases import Announce, Context, Decision, refuse
from libs.common.persistence.letters import Letterbox
from libs.common.persistence.sealing import KeyRing
from libs.common.persistence.state import Needs, State
from services.webhooks.domain.endpoints import ENDPOINTS_MAX, Problem, description_problem, filters_problem, pace_problem
from services.webhooks.domain.event_filters import aggregate_of
from services.webhooks.domain.signing import secret_problem
from services.webhooks.handlers.gates import new_gate
from services.webhooks.handlers.views import endpoint_view, not_allowed
from services.webhooks.store.endpoint_rows import ENDPOINTS, SECRETS, SUBSCRIPTIONS, EndpointRow, SecretRow, SubscriptionRow


@dataclass(frozen=True, slots=True)
class CreateEndpointUseCase:
    """Opens the secret's letter, and seals it with a ring. The reply never holds one: the inbox keeps replies."""

    ring: KeyRing
    letters: Letterbox
    url_problem: Callable[[str], Problem | None]

    def needs(self, message: CreateEndpoint, context: Context) -> Needs:
        """See whether it exists, and how many the tenant has."""
        return Needs(rows=((ENDPOINTS, (context.tenant, message.endpoint_id)),), under=((SUBSCRIPTIONS, (context.tenant,)),))

    def decide(self, state: State, message: CreateEndpoint, context: Context) -> Decision:
        """Register it, or name the field that forbids it."""
        known = state.get(ENDPOINTS, (context.tenant, message.endpoint_id))
        if known is not None:
            return Decision(reply=endpoint_view(known))
        secret = self.letters.open(message.letter, context.tenant, message.endpoint_id) if message.letter else message.secret
        problem = self._problem(message, secret)
        if problem is not None:
            return Decision(reply=not_allowed(problem))
        if len(state.under(SUBSCRIPTIONS, (context.tenant,))) >= ENDPOINTS_MAX:
            return refuse("INVALID_STATE", f"There are {ENDPOINTS_MAX} webhook endpoints already; delete one first")
        return self._registered(message, secret, context)

    def _problem(self, message: CreateEndpoint, secret: str) -> Problem | None:
        trouble = secret_problem(secret)
        return (
            self.url_problem(message.url)
            or filters_problem(message.events)
            or description_problem(message.description)
            or pace_problem(
                order_mode=message.order_mode,
                max_in_flight=message.max_in_flight,
                max_per_second=message.max_per_second,
            )
            or (None if trouble is None else Problem("secret", trouble))
        )

    def _registered(self, message: CreateEndpoint, secret: str, context: Context) -> Decision:
        tenant, events = context.tenant, tuple(dict.fromkeys(message.events))
        endpoint = EndpointRow(
            tenant=tenant,
            id=message.endpoint_id,
            url=message.url,
            events=events,
            description=message.description,
            active=True,
            sequence=1,
            created_at=context.now,
            updated_at=context.now,
            order_mode=message.order_mode,
            max_in_flight=message.max_in_flight,
            max_per_second=message.max_per_second,
        )
        sealed = self.ring.seal(secret.encode(), tenant, endpoint.id)
        event = EndpointEvent(endpoint.id, endpoint.url)
        return Decision(
            reply=endpoint_view(endpoint),
            rows=(
                (ENDPOINTS, endpoint),
                (SUBSCRIPTIONS, SubscriptionRow(tenant, endpoint.id, events)),
                (SECRETS, SecretRow(tenant, endpoint.id, 1, sealed, context.now, primary_at=context.now, retires_at=None)),
                *new_gate(endpoint, now=context.now),
            ),
            events=(Announce("webhook.created", aggregate_of(endpoint.id), endpoint.sequence, event),),
        )
