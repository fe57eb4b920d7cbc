"""Begin to deliver a part of the log to an endpoint again."""

from libs.common.contracts.commands.webhooks import StartReplay
from libs.common.kernel.errors import Refusal, invalid
from libs.common.messaging.use_cases import Context, Decision, refuse, row
from libs.common.persistence.state import Needs, State
from services.webhooks.domain.endpoints import filters_problem
from services.webhooks.domain.replays import PER_SECOND_MAX, REPLAYS_KEPT, UNFINISHED, Only, ReplayState
from services.webhooks.handlers.views import no_endpoint, not_allowed, replay_view
from services.webhooks.store.delivery_rows import REPLAYS, ReplayRow
from services.webhooks.store.endpoint_rows import ENDPOINTS, EndpointRow
from services.webhooks.store.log_rows import EVENT_LOG_NAME, FLOORS, HEADS


def needs(message: StartReplay, context: Context) -> Needs:
    """Lock the endpoint, so that only one begins; see its replays, and where the log ends."""
    key, log = (context.tenant, message.endpoint_id), (context.tenant, EVENT_LOG_NAME)
    return Needs(rows=((ENDPOINTS, key), (HEADS, log), (FLOORS, log)), under=((REPLAYS, key),))


def decide(state: State, message: StartReplay, context: Context) -> Decision:
    """Make the job, or say what stands in its way."""
    key = (context.tenant, message.endpoint_id)
    endpoint, replays = state.get(ENDPOINTS, key), state.under(REPLAYS, key)
    if endpoint is None:
        return Decision(reply=no_endpoint(message.endpoint_id))
    head = state.get(HEADS, (context.tenant, EVENT_LOG_NAME))
    floor = state.get(FLOORS, (context.tenant, EVENT_LOG_NAME))
    end, oldest = 0 if head is None else head.position, 1 if floor is None else floor.position + 1
    problem = _problem(message, oldest, end)
    if problem is not None:
        return Decision(reply=problem)
    if not endpoint.active:
        return refuse("INVALID_STATE", "The endpoint is not active: activate it first", current_state="INACTIVE")
    under_way = next((replay for replay in replays if replay.state in UNFINISHED), None)
    if under_way is not None:
        why = "A replay to this endpoint is under way: wait for its end or cancel it"
        return refuse("INVALID_STATE", why, current_state=under_way.state, replay_id=under_way.id)
    made = _made(message, endpoint, (oldest, end), context)
    ended = sorted(replays, key=lambda replay: replay.id)[: max(len(replays) - REPLAYS_KEPT + 1, 0)]
    return Decision(
        reply=replay_view(made), rows=(row(REPLAYS, made),), removed=tuple((REPLAYS, REPLAYS.key_of(old)) for old in ended)
    )


def _problem(message: StartReplay, oldest: int, end: int) -> Refusal | None:
    if message.from_position < 1:
        return invalid("from_position", "from_position is 1 or more")
    if 1 < message.from_position < oldest:
        return invalid("from_position", f"from_position is {oldest} or more: what came before is not kept any more")
    if message.to_position is not None and message.to_position > end:
        return invalid("to_position", f"to_position is at most {end}, where the log ends")
    if message.only not in tuple(Only):
        return invalid("only", f"only is one of {', '.join(Only)}")
    if not 1 <= message.per_second <= PER_SECOND_MAX:
        return invalid("per_second", f"per_second is 1 to {PER_SECOND_MAX}")
    problem = None if message.events is None else filters_problem(message.events)
    return None if problem is None else not_allowed(problem)


def _made(message: StartReplay, endpoint: EndpointRow, log: tuple[int, int], context: Context) -> ReplayRow:
    oldest, end = log
    from_position = max(message.from_position, oldest)
    to_position = end if message.to_position is None else message.to_position
    is_empty = from_position > to_position
    return ReplayRow(
        tenant=context.tenant,
        endpoint_id=endpoint.id,
        id=message.replay_id,
        state=ReplayState.COMPLETED if is_empty else ReplayState.RUNNING,
        from_position=from_position,
        to_position=to_position,
        events=endpoint.events if message.events is None else tuple(dict.fromkeys(message.events)),
        only_those=message.only,
        per_second=message.per_second,
        cursor=min(from_position - 1, to_position),
        enqueued=0,
        next_step_at=None if is_empty else context.now,
        created_at=context.now,
        updated_at=context.now,
    )
