"""Runs the app: `python -m rankloop.serving`."""

import logging

import uvicorn

from rankloop.serving.app import make_app
from rankloop.settings import load_settings

CONNECTIONS = 512
LAST_ANSWERS_S = 4


def main() -> None:
    """Serve until somebody asks to end; requests that are under way get their answers."""
    settings = load_settings()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    uvicorn.run(
        make_app(settings),
        host=settings.serving.host,
        port=settings.ports.serving,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=LAST_ANSWERS_S,
    )


if __name__ == "__main__":
    main()
