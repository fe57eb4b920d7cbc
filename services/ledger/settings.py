"""What the ledger reads from the environment: what every service does."""

from libs.common.settings import ServiceSettings


class LedgerSettings(ServiceSettings):
    """Nothing of its own yet."""
