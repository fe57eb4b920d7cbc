"""Each filter of the list of users gets an index that ends with the order of the list.

A page then reads the rows it shows. Status and type have few values and stand before the instant, so `users_listed` serves the
two filters, both together and, value by value, the list without them. `users_email` has the same tail, because a marketplace may
write one address into all its users. A user is inserted once and changed rarely, so two more entries are cheap. The history of
accounts needs no index beside the key of its entries.
"""

from libs.common.persistence.alembic_env import execute_script

revision = "0002"
down_revision = "0001"

_INDEXES = """
CREATE INDEX users_listed ON users (tenant, status, type, created_at, id);
CREATE INDEX users_email ON users (tenant, email, status, type, created_at, id) WHERE email IS NOT NULL;
"""


def upgrade() -> None:
    """Make them."""
    execute_script(_INDEXES)
