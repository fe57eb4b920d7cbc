"""Each filter of the lists of orders and disputes gets an index that ends with the order of its list.

A page then reads the rows it shows: no closed order on the way to an open one, no order of somebody else, and nothing newer than
its cursor. The columns of few values (status, side) stand before the instant, so one index serves the filter and, value by value,
the list without it; that is why there is none for `created_at` alone. What it costs: `orders_pair` is one index more on a table
whose rows are written about eight times, and without it "what did these two trade" reads all that either of them ever did. Only
disputed orders are in the other three.
"""

from libs.common.persistence.alembic_env import execute_script

revision = "0002"
down_revision = "0001"

_INDEXES = """
DROP INDEX orders_buyer;
DROP INDEX orders_seller;
DROP INDEX orders_status;
DROP INDEX orders_disputes;
CREATE INDEX orders_status ON orders (tenant, status, created_at, id);
CREATE INDEX orders_buyer ON orders (tenant, buyer_id, status, created_at, id);
CREATE INDEX orders_seller ON orders (tenant, seller_id, status, created_at, id);
CREATE INDEX orders_pair ON orders (tenant, buyer_id, seller_id, status, created_at, id);
CREATE INDEX orders_disputes ON orders (tenant, dispute_status, dispute_opened_by, dispute_opened_at, id)
    WHERE dispute_opened_at IS NOT NULL;
CREATE INDEX orders_buyer_disputes ON orders (tenant, buyer_id, dispute_status, dispute_opened_by, dispute_opened_at, id)
    WHERE dispute_opened_at IS NOT NULL;
CREATE INDEX orders_seller_disputes ON orders (tenant, seller_id, dispute_status, dispute_opened_by, dispute_opened_at, id)
    WHERE dispute_opened_at IS NOT NULL;
"""


def upgrade() -> None:
    """Make them."""
    execute_script(_INDEXES)
