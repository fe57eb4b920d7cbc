"""Pause a replay, let it go on, or end it."""

import msgspec

from libs.common.contracts.commands.webhooks import SteerReplay
from libs.common.messaging.use_cases import Context, Decision, refuse, row
from libs.common.persistence.state import Needs, State
from services.webhooks.domain.replays import REPLAYS as STATES
from services.webhooks.domain.replays import ReplayAction, ReplayState
from services.webhooks.handlers.views import no_endpoint, no_replay, replay_view
from services.webhooks.store.delivery_rows import REPLAYS
from services.webhooks.store.endpoint_rows import SWITCHES


def needs(message: SteerReplay, context: Context) -> Needs:
    """Lock the replay: no step of it is under way then."""
    key = (context.tenant, message.endpoint_id)
    return Needs(rows=((SWITCHES, key), (REPLAYS, (*key, message.replay_id))))


def decide(state: State, message: SteerReplay, context: Context) -> Decision:
    """Steer it, or say why it can't be. What is canceled gets a last step, which takes back what it has not sent yet."""
    key = (context.tenant, message.endpoint_id)
    if state.get(SWITCHES, key) is None:
        return Decision(reply=no_endpoint(message.endpoint_id))
    replay = state.get(REPLAYS, (*key, message.replay_id))
    if replay is None:
        return Decision(reply=no_replay(message.replay_id))
    action = ReplayAction(message.action)
    after = STATES.after(ReplayState(replay.state), action)
    if after is None:
        why = f"A replay that is {replay.state} does not allow {action}"
        allowed = [str(allowing) for allowing in STATES.allowing(action)]
        return refuse("INVALID_STATE", why, replay_id=replay.id, current_state=replay.state, allowed_states=allowed)
    changed = msgspec.structs.replace(
        replay,
        state=after,
        next_step_at=None if after is ReplayState.PAUSED else context.now,
        updated_at=context.now,
    )
    return Decision(reply=replay_view(changed), rows=(row(REPLAYS, changed),), before=replay_view(replay))
