"""Limits that hold before a request is read: its token, its size, its time, and how many are worked on at once."""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping

from nngpt_perfclf.config.schema import ServeConfig

Send = Callable[[MutableMapping], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping]]
OPEN = ("/healthz", "/")  # without a token; the page holds no decision
_log = logging.getLogger(__name__)


class Limits:
    """ASGI middleware; every refusal is one JSON object with an `error` in words."""

    def __init__(self, app, config: ServeConfig):
        self.app, self.config = app, config
        self.active = 0
        self.answered: dict[int, int] = {}

    async def __call__(self, scope: MutableMapping, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def counted(message: MutableMapping) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self.answered[message["status"]] = self.answered.get(message["status"], 0) + 1
            await send(message)

        if fault := self._fault(scope):
            await refuse(counted, *fault)
            return
        self.active += 1
        try:
            async with asyncio.timeout(self.config.seconds):
                body = await self._body(receive)
                if body is None:
                    await refuse(counted, 413, f"a request has at most {self.config.bytes:,} bytes")
                    return
                await self.app(scope, _once(body), counted)
        except TimeoutError:
            if not begun:
                await refuse(counted, 408, f"the request took longer than {self.config.seconds:g} s")
        except Exception:  # noqa: BLE001 - one request that fails must not end the others
            _log.exception("a request failed")
            if not begun:
                await refuse(counted, 500, "internal error; the server's log says more")
        finally:
            self.active -= 1

    def _fault(self, scope: MutableMapping) -> tuple[int, str] | None:
        headers = dict(scope["headers"])
        if self.config.token and scope["path"] not in OPEN and not hmac.compare_digest(
                headers.get(b"authorization", b""), f"Bearer {self.config.token}".encode()):
            return 401, "send the token: Authorization: Bearer TOKEN"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > self.config.bytes:
            return 413, f"a request has at most {self.config.bytes:,} bytes"
        if self.active >= self.config.requests:
            return 503, f"{self.active} requests are being processed; try again later"
        return None

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body, or None where it is too large."""
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self.config.bytes:
                return None
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return bytes(body)


def _once(body: bytes) -> Receive:
    sent = False

    async def receive() -> MutableMapping:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def refuse(send: Send, status: int, error: str) -> None:
    content = json.dumps({"error": error}).encode()
    await send({"type": "http.response.start", "status": status,
                "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode()),
                            (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": content})
