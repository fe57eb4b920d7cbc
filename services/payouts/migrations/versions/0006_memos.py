"""A number for each wallet, by which a payment to a shared account names its user."""

from libs.common.persistence.alembic_env import execute_script

revision = "0006"
down_revision = "0005"

# Derived, so that every version of the code writes it, and one that was told is never another's; see `memo_of`.
_MEMOS = """
ALTER TABLE wallets ADD COLUMN memo bigint NOT NULL
    GENERATED ALWAYS AS (('x' || left(md5(tenant || '/' || id), 16))::bit(64)::bigint & 9223372036854775807) STORED;
ALTER TABLE wallets ADD CONSTRAINT wallets_memo_key UNIQUE (memo);
"""


def upgrade() -> None:
    """Give every wallet its own."""
    execute_script(_MEMOS)
