"""`python -m services.payouts history CHANNEL` and `… lift CHANNEL`: what a quarantined channel did, and its use again."""

from collections.abc import Callable

from libs.common.contracts.topology import Topology
from libs.common.kernel.clock import SystemClock
from libs.common.kernel.errors import TransientError
from libs.common.messaging.worker import database_url
from libs.common.persistence.pool import open_pool
from services.payouts.clients.envelopes import Network
from services.payouts.clients.horizon import Horizon
from services.payouts.clients.signer import SignerClient, SignerUnavailableError
from services.payouts.handlers.lift_quarantine import LiftQuarantine, RefusedError
from services.payouts.settings import PayoutsSettings


async def lift(settings: PayoutsSettings, channel: str, say: Callable[[str], None], *, is_only_told: bool) -> int:
    """Do it, or only tell; 1 when it was refused."""
    horizon = Horizon(settings.horizon_url)
    pool = await open_pool(database_url(settings, "payouts"), schema="payouts", size=1, application="offerhub-lift")
    try:
        accounts = await SignerClient(settings.signer_socket).accounts()
        if await horizon.passphrase() != settings.network_passphrase:
            say("refused: Horizon serves another network")
            return 1
        network = Network(settings.network_passphrase, settings.usdc_issuer, accounts.treasury, accounts.sponsor)
        topology = Topology(settings.bus_prefix, settings.queue_expires_ms)
        use_case = LiftQuarantine(pool, horizon, network, topology, SystemClock())
        for line in await use_case(channel, is_only_told=is_only_told):
            say(line)
    except LookupError:
        say(f"{channel} is not quarantined")
        return 1
    except (RefusedError, SignerUnavailableError, TransientError) as error:
        say(f"refused: {error}")
        return 1
    finally:
        await horizon.close()
        await pool.close()
    say("everything is accounted for" if is_only_told else "everything is accounted for, and the channel is used again")
    return 0
