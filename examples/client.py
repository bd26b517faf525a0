"""Ask a running server (nngpt-perfclf serve) whether a network is worth training; the standard library alone."""

import json
import sys
import urllib.request
from pathlib import Path


def ask(server: str, path: str, body: dict) -> dict:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(server + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


if __name__ == "__main__":
    server, file, target = sys.argv[1:]
    network = {"name": file, "arch_code": Path(file).read_text(encoding="utf-8")}
    print(ask(server, "/gate", {"target": target, "candidates": [network]})["decisions"][0]["reason"])
