"""The verb `serve`."""

import socket
from pathlib import Path

from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say
from nngpt_perfclf.extras import extras_named
from nngpt_perfclf.types import PerfclfError

LOOPBACK = ("127.0.0.1", "::1", "localhost")
FOLDER = "runs/serve"


def serve(config: Config) -> dict:
    """Answer requests until the process is stopped; the gates' decisions are kept in ``gate.sqlite`` in the folder
    `out` (default: runs/serve). Raises PerfclfError as `check_address` does, and where the extra is not installed."""
    check_address(config)
    with extras_named():
        import uvicorn

        from nngpt_perfclf.serve.app import limited, make_app
        from nngpt_perfclf.serve.service import Service

    service = Service(config, Path(config.out or FOLDER) / "gate.sqlite")
    server = uvicorn.Server(uvicorn.Config(
        limited(make_app(service), config), log_level="warning", access_log=False, timeout_keep_alive=30,
        h11_max_incomplete_event_size=32768, timeout_graceful_shutdown=5))
    try:
        with listening(config) as listener:
            address = f"{config.serve.host}:{listener.getsockname()[1]}"
            say(f"listening on http://{address}; stop with Ctrl-C")
            server.run([listener])
    finally:
        service.close()
    return {"served": address, "decisions": str(service.file)}


def listening(config: Config) -> socket.socket:
    """A socket at the configured address. Raises PerfclfError where it is taken or not this machine's."""
    host, port = config.serve.host, config.serve.port
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise PerfclfError(f"cannot listen on {host}:{port}: {error}") from error


def check_address(config: Config) -> None:
    """Raise PerfclfError for an address that other machines reach without a token."""
    if config.serve.host not in LOOPBACK and not config.serve.token:
        raise PerfclfError(f"serve.host={config.serve.host} is reached from other machines: give serve.token, or stay "
                           "on 127.0.0.1")
