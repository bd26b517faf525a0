"""A server in a thread of this process, and what asks it. Needs the extra `serve`."""

import http.client
import json
import threading
import time
from dataclasses import replace

import uvicorn

from nngpt_perfclf.config import load_config
from nngpt_perfclf.serve.app import limited, make_app
from nngpt_perfclf.serve.service import Service


def started(folder, **options):
    config = load_config(overrides=["advice.profile=never", "adviser=pairwise"])
    config = replace(config, serve=replace(config.serve, **options))
    service = Service(config, folder / "gate.sqlite")
    server = uvicorn.Server(uvicorn.Config(limited(make_app(service), config), port=0, log_level="critical",
                                           h11_max_incomplete_event_size=32768))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    return server, thread, service, port


def ask(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, content, headers or {})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if "json" in (answer.getheader("content-type") or "") else text.decode()
