"""Say something on a dispute, whatever state it is in."""

from libs.common.contracts.commands.escrow import CommentDispute
from libs.common.kernel.errors import Refusal, invalid
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import Needs, State
from services.escrow.domain.orders import COMMENTS_MAX, Comment, changed, order_of_dispute
from services.escrow.handlers.announcements import of_dispute, tell
from services.escrow.handlers.asking import disputed_order, done, needs_order
from services.escrow.handlers.views import comment_view


def needs(message: CommentDispute, context: Context) -> Needs:
    """Name the order that the dispute id belongs to."""
    return needs_order(context.tenant, order_of_dispute(message.dispute_id))


def decide(state: State, message: CommentDispute, context: Context) -> Decision:
    """Add it; a comment moves nothing, so it need not wait for an intent."""
    order = disputed_order(state, context.tenant, message.dispute_id)
    if isinstance(order, Refusal):
        return Decision(reply=order)
    if len(order.comments) >= COMMENTS_MAX:
        return Decision(reply=invalid("message", f"a dispute holds at most {COMMENTS_MAX} comments"))
    comment = Comment(message.comment_id, message.user_id, message.message, message.attachments, context.now)
    longer = changed(order, context.now, comments=(*order.comments, comment))
    longer, events = tell(longer, of_dispute("dispute.comment_added", longer, comment_id=comment.id, user_id=comment.user_id))
    return done(order, longer, events, comment_view(longer, comment))
