"""The kept sign-in: refreshed early and once for all processes, throttled, revoked, broken."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
import requests

from backend.domain.errors import ZohoNotConnected, ZohoSignInFailed, ZohoThrottled, ZohoUnreachable
from backend.services.connect_zoho import disconnect
from backend.zoho.connection import ConnectionFile, Tokens
from backend.zoho.oauth import refresh
from tests.backend.zoho.conftest import request_of
from tests.zoho.local import LocalZoho


def aged(file: ConnectionFile, *, seconds_left: float) -> None:
    file.write(replace(file.read(), expires_at=time.time() + seconds_left))


@pytest.mark.parametrize(("left", "refreshes"), [(3000, 0), (70, 0), (50, 1), (-5, 1)])
def test_a_token_is_refreshed_a_minute_early(
    zoho: LocalZoho, file: ConnectionFile, left: float, refreshes: int
) -> None:
    aged(file, seconds_left=left)
    before = file.read().access_token

    token = Tokens(file).access()

    assert zoho.seen()["grants"].get("refresh_token", 0) == refreshes
    assert (token != before) == bool(refreshes)
    assert file.read().access_token == token


PROCESS = """
import sys
from pathlib import Path
from backend.zoho.connection import ConnectionFile, Tokens
tokens = Tokens(ConnectionFile(Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.readline()
tokens.access()
"""


def test_processes_and_threads_that_need_a_token_at_once_make_one_refresh(
    zoho: LocalZoho, file: ConnectionFile
) -> None:
    aged(file, seconds_left=0)
    zoho.fault("slow", "/oauth/v2/token", seconds=0.5, times=-1)
    tokens = Tokens(file)
    command = [sys.executable, "-c", PROCESS, str(file.folder)]
    pipe = subprocess.PIPE
    others = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    threads = [threading.Thread(target=tokens.access) for _ in range(4)]

    for other in others:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
    for other in others:
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.close()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [other.wait(30) for other in others] == [0, 0, 0]
    for other in others:
        assert other.stdout is not None
        other.stdout.close()
    assert zoho.seen()["grants"]["refresh_token"] == 1
    assert tokens.access() == file.read().access_token


def test_a_refused_token_is_renewed_once_for_all_threads(
    zoho: LocalZoho, file: ConnectionFile
) -> None:
    tokens = Tokens(file)
    refused = tokens.access()

    renewed = {tokens.renew(refused) for _ in range(5)}

    assert len(renewed) == 1
    assert zoho.seen()["grants"]["refresh_token"] == 1


def test_a_revoked_sign_in_says_what_to_do(zoho: LocalZoho, file: ConnectionFile) -> None:
    tokens = Tokens(file)
    aged(file, seconds_left=0)
    kept = file.read()
    requests.post(f"{zoho.url}/oauth/v2/token/revoke", {"token": kept.refresh_token}, timeout=5)

    with pytest.raises(ZohoSignInFailed, match=r"revoked.*zoho connect"):
        tokens.renew(kept.access_token)


def test_zohos_throttle_is_remembered_by_every_process(
    zoho: LocalZoho, file: ConnectionFile
) -> None:
    aged(file, seconds_left=0)
    zoho.fault("busy", "/oauth/v2/token")

    for _ in range(3):
        with pytest.raises(ZohoThrottled, match="10 minutes") as error:
            Tokens(file).access()

    assert error.value.retry_after_seconds > 590
    assert zoho.seen()["grants"]["refresh_token"] == 1


def test_zoho_is_not_asked_for_more_tokens_than_it_gives(
    zoho: LocalZoho, file: ConnectionFile
) -> None:
    def one_more() -> None:
        aged(file, seconds_left=0)
        Tokens(file).access()

    for _ in range(8):  # with the code's own token these are nine
        one_more()
    with pytest.raises(ZohoThrottled, match="used up"):
        one_more()

    assert zoho.seen()["grants"]["refresh_token"] == 8


def test_the_tenth_token_in_ten_minutes_is_zohos_last(
    zoho: LocalZoho, file: ConnectionFile
) -> None:
    kept = file.read()

    def ten_more() -> None:
        for _ in range(10):
            refresh(kept.refresh_token, request_of(zoho).client, kept.hosts)

    with pytest.raises(ZohoThrottled, match="10 in 10 minutes"):
        ten_more()


def test_disconnecting_revokes_and_forgets(zoho: LocalZoho, file: ConnectionFile) -> None:
    assert disconnect(file.folder)

    assert [secret for secret in zoho.secrets() if "refresh" in secret] == []
    with pytest.raises(ZohoNotConnected):
        file.read()


def test_a_sign_in_that_cannot_be_revoked_is_kept(file: ConnectionFile) -> None:
    away = replace(file.read().hosts, accounts="http://127.0.0.1:9")
    file.write(replace(file.read(), hosts=away))

    with pytest.raises(ZohoUnreachable):
        disconnect(file.folder)

    assert file.read().refresh_token


@pytest.mark.parametrize("content", ["", "{", "[]", '{"client_id": 1}', "\x00" * 40])
def test_a_broken_file_is_no_sign_in(file: ConnectionFile, content: str) -> None:
    file.path.write_text(content, encoding="utf-8")

    with pytest.raises(ZohoNotConnected, match="again"):
        file.read()
