"""The verb `serve`."""

from __future__ import annotations

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
    say(f"listening on http://{config.serve.host}:{config.serve.port}; stop with Ctrl-C")
    try:
        uvicorn.run(limited(make_app(service), config), host=config.serve.host, port=config.serve.port,
                    log_level="warning", access_log=False, timeout_keep_alive=30, h11_max_incomplete_event_size=32768,
                    timeout_graceful_shutdown=5)
    finally:
        service.close()
    return {"served": f"{config.serve.host}:{config.serve.port}", "decisions": str(service.file)}


def check_address(config: Config) -> None:
    """Raise PerfclfError for an address that other machines reach without a token."""
    if config.serve.host not in LOOPBACK and not config.serve.token:
        raise PerfclfError(f"serve.host={config.serve.host} is reached from other machines: give serve.token, or stay "
                           "on 127.0.0.1")
