"""The server answers who asks rightly, and survives everybody else. Needs the extra `serve`."""

import json
import random
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from made_scorers import SOUND

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from made_server import ask, started

from nngpt_perfclf.config import load_config
from nngpt_perfclf.gate.gate import Gate
from nngpt_perfclf.serve.command import check_address, listening
from nngpt_perfclf.serve.service import Service
from nngpt_perfclf.types import PerfclfError

EXAMPLES = Path(__file__).parents[2] / "examples"
NETWORK = (EXAMPLES / "network.py").read_text()


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    server, thread, service, port = started(tmp_path_factory.mktemp("serve"), bytes=300_000, seconds=2.0)
    yield port
    server.should_exit = True
    thread.join(10)
    service.close()


def candidates(count=3):
    return [{"name": f"net-{place}", "arch_code": NETWORK, "recipe": {"lr": 0.1**place, "batch": 64}}
            for place in range(count)]


def test_it_ranks(port):
    broken = {"name": "broken", "arch_code": "def f(:"}
    status, answer = ask(port, "POST", "/rank", {"target": "svhn", "candidates": [broken, *candidates()]})
    assert status == 200
    scores = [row["score"] for row in answer["rows"][:3]]
    assert scores == sorted(scores, reverse=True)
    assert (answer["rows"][3]["name"], answer["rows"][3]["status"]) == ("broken", "broken")


def test_it_advises(port):
    question = {"arch_code": NETWORK, "ds_a": "svhn", "ds_b": "mnist"}
    status, answer = ask(port, "POST", "/advise", {"questions": [question]})
    assert status == 200
    assert answer["advice"][0] is None or answer["advice"][0]["better"] in ("svhn", "mnist")


def test_it_gates_and_learns_how_well(port):
    status, answer = ask(port, "POST", "/gate", {"target": "mnist", "candidates": candidates(6)})
    assert status == 200
    assert ask(port, "POST", "/gate", {"target": "mnist", "candidates": candidates(6)})[1] == answer
    told = [{**one, "accuracy": 0.5} for one in candidates(2)]
    status, state = ask(port, "POST", "/outcomes", {"target": "mnist", "outcomes": told})
    assert status == 200
    assert state["target"] == "mnist"
    seen = ask(port, "GET", "/decisions?after=0")[1]["decisions"]
    assert len([one for one in seen if one["target"] == "mnist"]) == 6


def test_it_tells_how_it_is_and_shows_a_page(port):
    assert ask(port, "GET", "/healthz")[1]["status"] == "ok"
    assert "nngpt_perfclf_responses_total" in ask(port, "GET", "/metrics")[1]
    assert "Decisions of the gate" in ask(port, "GET", "/")[1]
    assert set(ask(port, "GET", "/openapi.json")[1]["paths"]) >= {"/rank", "/advise", "/gate", "/outcomes"}


def test_the_client_of_the_examples(port):
    done = subprocess.run([sys.executable, EXAMPLES / "client.py", f"http://127.0.0.1:{port}",
                           EXAMPLES / "network.py", "cifar-10"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize(("path", "body", "status"), [
    ("/rank", b"{", 422), ("/rank", b"\xff\xfe", 422), ("/rank", b"[" * 100_000, 422), ("/rank", b"null", 422),
    ("/rank", {"target": "svhn"}, 422), ("/rank", {"target": "nowhere", "candidates": candidates(1)}, 422),
    ("/rank", {"target": "svhn", "candidates": [], }, 422), ("/rank", {"target": 7, "candidates": candidates(1)}, 422),
    ("/rank", {"target": "svhn", "candidates": candidates(1), "more": 1}, 422),
    ("/rank", {"target": "svhn", "candidates": candidates(1) * 300}, 413), ("/nowhere", {}, 404),
    ("/rank", b'{"target": "svhn", "candidates": [{"arch_code": "x", "recipe": {"lr": NaN}}]}', 422),
    ("/rank", b'{"target": "\\ud800", "candidates": [{"arch_code": "\\ud800"}]}', 422),
    ("/outcomes", {"target": "svhn", "outcomes": [{**candidates(1)[0], "accuracy": 87}]}, 422),
])
def test_a_wrong_request_gets_one_clear_line(port, path, body, status):
    found, answer = ask(port, "POST", path, body)
    assert found == status
    assert "\n" not in answer["error"]


def test_lone_surrogates_in_names_and_codes_are_answered(port):
    body = b'{"target": "svhn", "candidates": [{"name": "n\\ud800", "arch_code": "x = \\"\\ud800\\""}]}'
    for path in ("/rank", "/gate"):
        assert ask(port, "POST", path, body)[0] in (200, 422)


def test_two_hundred_hostile_requests_leave_it_answering(port):
    rng = random.Random(0)
    whole = json.dumps({"target": "svhn", "candidates": [{"name": "n", "arch_code": SOUND}]}).encode()
    head = b"POST /rank HTTP/1.1\r\nHost: x\r\nContent-Length: "
    for turn in range(200):
        body = bytearray(whole)
        for _ in range(rng.randrange(1, 8)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        raw = [head + str(len(body)).encode() + b"\r\n\r\n" + bytes(body), head + b"99999999999\r\n\r\n",
               rng.randbytes(300), head + b"-1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 70_000,
               head + b"10\r\n\r\nab",
               b"POST /rank HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"][turn % 8]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            try:
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(5)
                connection.recv(100)
            except OSError:
                pass
    assert ask(port, "POST", "/rank", whole)[0] == 200


def test_slow_clients_are_sent_away_and_hold_nobody_up(port):
    slow = []
    for _ in range(30):
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sendall(b"POST /rank HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        slow.append(connection)
    assert ask(port, "GET", "/healthz")[0] == 200
    slow[0].settimeout(10)
    assert b"408" in slow[0].recv(200)
    for connection in slow:
        connection.close()


def test_requests_that_come_in_together_are_scored_in_one_call(tmp_path):
    server, thread, service, port = started(tmp_path)
    answers = []
    threads = [threading.Thread(target=lambda place=place: answers.append(
        ask(port, "POST", "/rank", {"target": "svhn", "candidates": [
            {"name": str(place), "arch_code": SOUND + f"# {place}"}]})[0])) for place in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert answers == [200] * 16
    assert service.score_calls < 16
    server.should_exit = True
    thread.join(10)


def test_the_gates_of_all_targets_ask_the_one_adviser_that_is_loaded(tmp_path):
    config = load_config()
    service = Service(config, tmp_path / "gate.sqlite")
    gates = [service.gate_of(target) for target in ("svhn", "mnist")]
    assert all(gate.scorer is service.scorer for gate in gates)
    assert {gate.adviser for gate in gates} == {Gate("svhn", adviser=config.scorer, config=config).adviser}
    service.close()


def test_a_token_is_asked_for_where_there_is_one(tmp_path):
    server, thread, _, port = started(tmp_path, token="secret")
    assert ask(port, "GET", "/metrics")[0] == 401
    assert ask(port, "GET", "/healthz")[0] == 200
    assert ask(port, "GET", "/metrics", headers={"Authorization": "Bearer secret"})[0] == 200
    server.should_exit = True
    thread.join(10)


def test_an_open_address_needs_a_token():
    config = load_config(overrides=["serve.host=0.0.0.0"])
    with pytest.raises(PerfclfError, match=r"serve\.token"):
        check_address(config)
    check_address(replace(config, serve=replace(config.serve, token="secret")))


def test_an_address_that_is_taken_is_said_in_one_line():
    free = load_config(overrides=["serve.port=0"])
    with listening(free) as first:
        taken = replace(free, serve=replace(free.serve, port=first.getsockname()[1]))
        with pytest.raises(PerfclfError, match=r"cannot listen on 127\.0\.0\.1"):
            listening(taken)
