"""The server under load: 16 clients, 200 requests a second in all, each ranks 20 candidates whose networks have cached
profiles. Prints one JSON line for scores that are remembered and one for recipes that were never scored before.

    python tests/scale/server_load.py [requests a second] [seconds]
"""

import http.client
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

CLIENTS, CANDIDATES, NETWORKS = 16, 20, 40
CODE = (Path(__file__).parents[2] / "examples" / "network.py").read_text()
NUMBERS = itertools.count()


def request(number: int, fresh: bool) -> bytes:
    """Twenty candidates; `fresh`: with learning rates that no other request has."""
    shift = number * 1e-7 if fresh else 0.0
    first = number % 10 * CANDIDATES
    candidates = [{"name": f"net-{place}", "arch_code": f"{CODE}\n# {place % NETWORKS}",
                   "recipe": {"lr": 0.01 * (1 + place % 10) + shift, "batch": 64}}
                  for place in range(first, first + CANDIDATES)]
    return json.dumps({"target": "svhn", "candidates": candidates}).encode()


def client(port: int, place: int, rate: float, seconds: float, fresh: bool, waited: list[float]) -> None:
    connection, began = http.client.HTTPConnection("127.0.0.1", port, timeout=60), time.perf_counter()
    for turn in itertools.count():
        due = began + (turn * CLIENTS + place) / rate
        if due > began + seconds:
            return
        body = request(next(NUMBERS), fresh)
        time.sleep(max(0.0, due - time.perf_counter()))
        sent = time.perf_counter()
        connection.request("POST", "/rank", body)
        answer = connection.getresponse()
        answer.read()
        waited.append(time.perf_counter() - sent if answer.status == 200 else float("inf"))


def load(port: int, rate: float, seconds: float, fresh: bool) -> dict:
    waited, began = [], time.perf_counter()
    clients = [threading.Thread(target=client, args=(port, place, rate, seconds, fresh, waited))
               for place in range(CLIENTS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    milliseconds = 1000 * np.array(waited)
    return {"never scored before": fresh, "requests": len(waited), "failed": int(np.isinf(milliseconds).sum()),
            "per_second": round(len(waited) / (time.perf_counter() - began), 1),
            **{f"p{percent}_ms": round(float(np.percentile(milliseconds, percent)), 1) for percent in (50, 99)}}


def main() -> None:
    rate, seconds = (float(word) for word in (*sys.argv[1:], *("200", "10")[len(sys.argv) - 1:]))
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([sys.executable, "-m", "nngpt_perfclf", "serve", "serve.port=0", f"out={folder}"],
                                  stderr=subprocess.PIPE, text=True)
        try:
            port = int(server.stderr.readline().split(";")[0].rpartition(":")[2])
            load(port, 20, 2, False)  # the networks are built, where the cache does not know them
            for fresh in (False, True):
                print(json.dumps(load(port, rate, seconds, fresh)), flush=True)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
