"""Runs the serving app: `python -m rankloop.serving`."""

import logging

import uvicorn

from rankloop.serving.app import create_app
from rankloop.settings import load_settings

MAX_CONNECTIONS = 512
SHUTDOWN_TIMEOUT_S = 4


def main() -> None:
    """Serve until the process is asked to stop; running requests are finished first."""
    settings = load_settings()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    uvicorn.run(
        create_app(settings),
        host=settings.serving.host,
        port=settings.ports.serving,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )


if __name__ == "__main__":
    main()
