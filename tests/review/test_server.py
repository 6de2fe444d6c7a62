import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode

import pytest

from deliberant.review import Labels, Samples
from deliberant.review.server import Server
from deliberant.review.session import Session
from deliberant.util.errors import RunError, UserError
from tests.review.reviewed import reviewed


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    samples = Samples(reviewed(tmp_path).root)
    with Server(Session(samples, Labels(samples), samples.entries, "ana")) as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def ask(server: Server, method: str, path: str, body: str = "", **headers: str) -> tuple[HTTPResponse, str]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    if method == "POST":
        defaults = {"Content-Length": str(len(body)), "Content-Type": "application/x-www-form-urlencoded"}
        headers = {**defaults, **{name.replace("_", "-"): value for name, value in headers.items()}}
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body.encode())
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response, text


def form(server: Server, **changes: str) -> str:
    return urlencode({"token": server.token, "sample_id": "stove#0", "decision": "accept", "at": "0", **changes})


def test_it_listens_on_this_machine_alone_and_its_address_is_not_to_be_guessed(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert len(server.token) >= 32 and server.token in server.url


def test_the_page_loads_nothing_and_may_not_be_framed(server: Server) -> None:
    response, text = ask(server, "GET", server.base)
    assert response.status == 200 and "0 of 12 reviewed" in text
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert f'<script nonce="{nonce}">' in text and f'<style nonce="{nonce}">' in text
    assert "http:" not in text and "https:" not in text and " on" + "click" not in text and " style=" not in text
    assert response.headers["Cache-Control"] == "no-store"
    assert nonce not in ask(server, "GET", server.base)[0].headers["Content-Security-Policy"]


def test_a_decision_is_on_disk_when_the_next_page_is_named(server: Server) -> None:
    response, _ = ask(server, "POST", f"{server.base}label", form(server, clause="F1", comment="so é"))
    assert response.status == 303
    [label] = server.session.labels.read()
    assert (label.sample_id, label.decision, label.clause, label.comment) == ("stove#0", "accept", "F1", "so é")
    after, text = ask(server, "GET", response.headers["Location"])
    assert after.status == 200 and "1 of 12 reviewed" in text


@pytest.mark.parametrize("path", ["/", "/label", "/wrong/", "/wrong/label", "/../", "/%00", "//"])
def test_who_does_not_know_the_token_learns_nothing(server: Server, path: str) -> None:
    for method in ("GET", "POST"):
        response, text = ask(server, method, path, form(server) if method == "POST" else "")
        assert response.status == 404 and "reviewed" not in text
    assert server.session.labels.read() == []


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", ""])
def test_another_name_for_this_server_does_not_work(server: Server, host: str) -> None:
    assert ask(server, "GET", server.base, Host=host)[0].status == 404


@pytest.mark.parametrize(
    ("headers", "changes", "status"),
    [
        ({"Origin": "https://evil.example"}, {}, 403),
        ({"Origin": "null"}, {}, 403),
        ({}, {"token": "wrong"}, 403),
        ({}, {"token": "é"}, 403),
        ({}, {"sample_id": "nope"}, 400),
    ],
)
def test_a_form_that_is_not_ours_stores_nothing(
    server: Server, headers: dict[str, str], changes: dict[str, str], status: int
) -> None:
    assert ask(server, "POST", f"{server.base}label", form(server, **changes), **headers)[0].status == status
    assert server.session.labels.read() == []


def test_our_own_origin_is_welcome(server: Server) -> None:
    origin = f"http://127.0.0.1:{server.server_port}"
    assert ask(server, "POST", f"{server.base}label", form(server), Origin=origin)[0].status == 303


def test_a_full_disk_is_said_on_the_page(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(labels: object) -> None:
        raise RunError("labels.jsonl: cannot write (<No space>)")

    monkeypatch.setattr(server.session.labels, "append", full)
    response, text = ask(server, "POST", f"{server.base}label", form(server))
    assert response.status == 500 and "Nothing was stored" in text and "&lt;No space&gt;" in text
    assert server.session.reviewed == 0


def test_a_taken_port_is_the_users_mistake(server: Server) -> None:
    with pytest.raises(UserError, match=rf"--port {server.server_port}: cannot listen there"):
        Server(server.session, server.server_port)
