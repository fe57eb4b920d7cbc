"""`python -m services.webhooks` runs one webhooks process."""

import uvloop

from libs.common.messaging.worker import serve
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings

if __name__ == "__main__":
    settings = WebhooksSettings.read()
    uvloop.run(serve(build(settings), settings))
