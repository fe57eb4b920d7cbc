"""What escrow reads from the environment."""

from pydantic import Field

from libs.common.kernel.money import BASIS_POINTS
from libs.common.settings import ServiceSettings


class EscrowSettings(ServiceSettings):
    """What every service reads, and the platform's fee."""

    platform_fee_bps: int = Field(0, validation_alias="OFFERHUB_PLATFORM_FEE_BPS", ge=0, le=BASIS_POINTS)
    """What the platform keeps of a release, in basis points; an order keeps the fee it was made with."""
