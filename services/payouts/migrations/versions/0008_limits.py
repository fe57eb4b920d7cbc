"""What is withdrawn a day and where to, and withdrawals that wait for a second person."""

from libs.common.persistence.alembic_env import execute_script

revision = "0008"
down_revision = "0007"

_LIMITS = """
ALTER TABLE withdrawals
    ADD COLUMN asked_by text,
    ADD COLUMN needs_approval boolean NOT NULL DEFAULT false,
    ADD COLUMN approved_by text,
    ADD COLUMN hold_until timestamptz,
    ADD COLUMN flags jsonb NOT NULL DEFAULT '[]',
    ADD CONSTRAINT withdrawals_approved CHECK (waiting_from IS NULL OR NOT needs_approval OR approved_by IS NOT NULL),
    ADD CONSTRAINT withdrawals_approver CHECK (approved_by IS NULL OR approved_by <> asked_by);
CREATE INDEX withdrawals_unapproved ON withdrawals (created_at)
    WHERE needs_approval AND approved_by IS NULL AND status = 'PENDING';
ALTER TABLE withdrawals_in_flight ADD COLUMN new_destination text;

CREATE TABLE withdrawal_spending (
    tenant text NOT NULL,
    user_id text NOT NULL,
    currency text NOT NULL,
    day date NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    count integer NOT NULL CHECK (count >= 0),
    largest bigint NOT NULL,
    PRIMARY KEY (tenant, user_id, currency)
) WITH (fillfactor = 80);

CREATE TABLE withdrawal_destinations (
    tenant text NOT NULL,
    user_id text NOT NULL,
    destination text NOT NULL,
    first_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, user_id, destination)
);
"""


def upgrade() -> None:
    """Make them."""
    execute_script(_LIMITS)
