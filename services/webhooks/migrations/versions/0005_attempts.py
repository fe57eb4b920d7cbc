"""What an attempt did: how long connecting took, where it went, which secrets signed it and the signatures that were sent.

Attempts of before, and those that an older process still makes, know none of this.
"""

from libs.common.persistence.alembic_env import execute_script

revision = "0005"
down_revision = "0004"

_ATTEMPTS = """
ALTER TABLE attempts
    ADD COLUMN connect_ms integer,
    ADD COLUMN url text,
    ADD COLUMN signed_with text,
    ADD COLUMN signature text;
"""


def upgrade() -> None:
    """Let attempts tell more."""
    execute_script(_ATTEMPTS)
