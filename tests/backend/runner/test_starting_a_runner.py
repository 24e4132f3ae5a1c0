"""A runner's beginning and end as a process."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.backend.runner.conftest import KEY, StartRunner, spawn
from tests.tiny_gguf import write_tiny_gguf


def failure(model: Path, *options: str) -> tuple[int, str]:
    """The exit code of a runner that cannot start, and its last line on stderr."""
    process = spawn(model, *options)
    _, errors = process.communicate(timeout=20)
    return process.returncode, json.loads(errors.splitlines()[-1])["text"]


def test_the_health_says_loading_until_the_model_has_answered(
    start_runner: StartRunner, tmp_path: Path
) -> None:
    large = write_tiny_gguf(tmp_path / "large.gguf")
    os.truncate(large, 400_000_000)  # zeros behind its end, so that its hash takes a while
    with large.open("rb") as file:
        approved = hashlib.file_digest(file, "sha256").hexdigest()
    runner = start_runner(large, "--sha256", approved, wait=False)

    first = runner.http.get("/health")
    early = runner.chat("Hi")
    runner.wait_until_ready()

    assert (first.status_code, first.json()) == (503, {"status": "loading"})
    assert (early.status_code, early.headers["retry-after"]) == (503, "2")
    assert runner.chat("Hi").status_code == 200


def test_a_term_signal_ends_it_soon_even_while_it_writes(
    start_runner: StartRunner, tiny_gguf: Path
) -> None:
    runner = start_runner(tiny_gguf)
    body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 480, "stream": True}
    with runner.http.stream("POST", "/v1/chat/completions", json=body) as response:
        next(response.iter_lines())
        begun = time.monotonic()
        runner.process.send_signal(signal.SIGTERM)
        assert runner.process.wait(30) == 0

    assert time.monotonic() - begun < 5


def test_it_ends_when_its_parent_is_killed(tiny_gguf: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, sys.executable, str(tiny_gguf)],
        env=os.environ | {"SUGGEST_ANSWER_RUNNER_KEY": KEY},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout
    port = json.loads(parent.stdout.readline())["port"]

    parent.kill()
    parent.communicate()

    deadline = time.monotonic() + 30
    while _listens(port):
        assert time.monotonic() < deadline
        time.sleep(0.02)


PARENT = """
import os, subprocess, sys, time
os.environ["SUGGEST_ANSWER_PARENT_PID"] = str(os.getpid())
subprocess.Popen([sys.argv[1], "-m", "backend.runner", "--model", sys.argv[2]])
time.sleep(60)
"""


def test_the_approved_file_is_served(start_runner: StartRunner, tiny_gguf: Path) -> None:
    approved = hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()

    assert start_runner(tiny_gguf, "--sha256", approved.upper()).chat("Hi").status_code == 200


def test_another_file_than_the_approved_one_is_refused(tiny_gguf: Path) -> None:
    code, sentence = failure(tiny_gguf, "--sha256", "0" * 64)

    assert code == 3
    assert "is not the file that was approved" in sentence


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"PK\x03\x04" * 99)

    code, sentence = failure(path)

    assert code == 3
    assert sentence.startswith("model.gguf is no GGUF")


def test_a_gguf_with_a_hostile_template_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    template = (
        "{{ messages.__class__.__mro__ }}"
        f"{{{{ cycler.__init__.__globals__.os.system('touch {mark}') }}}}"
    )
    path = write_tiny_gguf(tmp_path / "model.gguf", template=template)

    code, sentence = failure(path)

    assert code == 3
    assert "chat template" in sentence
    assert not mark.exists()


def test_a_model_without_its_tensors_is_refused(tmp_path: Path, tiny_gguf: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(tiny_gguf.read_bytes().replace(b"blk.0.attn_q", b"blk.0.attn_x"))

    code, sentence = failure(path)

    assert code == 3
    assert "llama.cpp cannot load model.gguf" in sentence


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--context", "-1", "--context must be from"),
        ("--slots", "65", "--slots must be from"),
        ("--batch", "1", "--batch must be from"),
        ("--sha256", "abc", "64 hex digits"),
        ("--host", "203.0.113.1", "Cannot listen on 203.0.113.1"),
        ("--warm-prefix", "/nowhere", "cannot be read"),
        ("--chat-template", "/nowhere", "cannot be read"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(
    tiny_gguf: Path, option: str, value: str, why: str
) -> None:
    code, sentence = failure(tiny_gguf, option, value)

    assert code == 2
    assert why in sentence


def test_a_warm_prefix_is_in_the_cache_before_the_first_request(
    start_runner: StartRunner, tiny_gguf: Path, tmp_path: Path
) -> None:
    system = {"role": "system", "content": "You answer customers in one short sentence. " * 3}
    prefix = tmp_path / "prefix.json"
    prefix.write_text(json.dumps([system]))
    runner = start_runner(tiny_gguf, "--warm-prefix", str(prefix))
    cold = start_runner(tiny_gguf)
    messages = [system, {"role": "user", "content": "Where?"}]

    answer = runner.chat("", messages=messages).json()

    expected = cold.chat("", messages=messages).json()
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] > len(system["content"])
    assert answer["choices"] == expected["choices"]


def test_another_template_can_be_given(
    start_runner: StartRunner, tiny_gguf: Path, tmp_path: Path
) -> None:
    template = tmp_path / "template.jinja"
    template.write_text("{{ messages[0].content }}")

    runner = start_runner(tiny_gguf, "--chat-template", str(template))

    assert runner.chat("12345").json()["usage"]["prompt_tokens"] == 5


def test_a_context_longer_than_the_model_knows_is_cut(
    start_runner: StartRunner, tiny_gguf: Path
) -> None:
    runner = start_runner(tiny_gguf, "--context", "4096", "--slots", "2")

    (model,) = runner.http.get("/v1/models").json()["data"]

    assert (model["meta"]["n_ctx"], model["meta"]["slots"]) == (512, 2)


def test_a_full_queue_is_said_with_a_time_to_come_back(
    start_runner: StartRunner, tiny_gguf: Path
) -> None:
    runner = start_runner(tiny_gguf, "--slots", "1", "--queue", "1")
    os.kill(runner.process.pid, signal.SIGSTOP)
    open_sockets = [_ask(runner.port) for _ in range(40)]
    os.kill(runner.process.pid, signal.SIGCONT)

    statuses = sorted(_status(connection) for connection in open_sockets)

    assert statuses[0] == 200
    assert statuses[-1] == 503
    assert runner.chat("Hi").status_code == 200


def _ask(port: int) -> socket.socket:
    body = b'{"messages":[{"role":"user","content":"x"}],"max_tokens":300}'
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        + f"Authorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return connection


def _status(connection: socket.socket) -> int:
    with connection, connection.makefile("rb") as answer:
        return int(answer.readline().split()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
