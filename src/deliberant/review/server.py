"""The local server behind the review page: `deliberant review RUN`.

It listens on 127.0.0.1 alone, and answers nothing to whoever does not know the random token in its URL: other users of
the machine, and other pages in the same browser. Forms carry the token a second time and must come from this page; the
Host header must be ours, so no other name can be pointed at this server.
"""

import secrets
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from deliberant.review.page import message, render
from deliberant.review.session import Session
from deliberant.util.errors import DeliberantError, UserError

HOST = "127.0.0.1"
POLICY = (
    "default-src 'none'; style-src 'nonce-{0}'; script-src 'nonce-{0}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class Server(ThreadingHTTPServer):
    """`url` is where the page is. UserError where the port is taken. Threads, since browsers open spare connections."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, session: Session, port: int = 0) -> None:
        self.session = session
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__((HOST, port), Handler)
        except OSError as error:
            raise UserError(
                f"--port {port}: cannot listen there ({error.strerror}); leave --port out for a free one"
            ) from error
        self.base = f"/{self.token}/"
        self.url = f"http://{HOST}:{self.server_port}{self.base}"
        self.origins = {f"http://{name}:{self.server_port}" for name in (HOST, "localhost")}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """GET /TOKEN/ is the page, POST /TOKEN/label a decision; there is nothing else."""

    server: Server
    timeout = 60
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "deliberant", ""

    def do_GET(self) -> None:
        if self._mine(self.server.base):
            query = dict(parse_qsl(urlsplit(self.path).query))
            nonce = secrets.token_urlsafe(16)
            self._answer(lambda: self._page(query, nonce), nonce)

    def do_POST(self) -> None:
        if self._mine(f"{self.server.base}label"):
            form = self._form()
            known = secrets.compare_digest(form.get("token", "").encode(), self.server.token.encode())
            origin = self.headers.get("Origin")
            if not known or (origin is not None and origin not in self.server.origins):
                return self._refuse(403, "The form is not from this session; reload the page.")
            self._answer(lambda: self._label(form))

    def log_message(self, format: str, *args: object) -> None:
        """Requests are no news, and their URLs hold the token."""

    def _page(self, query: dict[str, str], nonce: str) -> tuple[int, str]:
        session = self.server.session
        return 200, render(session, session.view(query), self.server.token, nonce)

    def _label(self, form: dict[str, str]) -> tuple[int, str]:
        session = self.server.session
        session.decide(form)
        view = session.view(form)
        at = session.left(view)
        after = session.view({**form, "at": str(view.at if at is None else at)})
        return 303, f"{self.server.base}?{after.query}"

    def _mine(self, path: str) -> bool:
        """Whether the request knows the token and comes by our name; otherwise it is answered with 404 here."""
        known = secrets.compare_digest(urlsplit(self.path).path.encode(), path.encode())
        if known and f"http://{self.headers.get('Host', '')}" in self.server.origins:
            return True
        self._refuse(404, "There is nothing here. Use the address that the command printed.")
        return False

    def _form(self) -> dict[str, str]:
        """The fields of a submitted form."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return dict(parse_qsl(body.decode(), keep_blank_values=True))

    def _answer(self, make: Callable[[], tuple[int, str]], nonce: str = "") -> None:
        try:
            status, content = make()
        except DeliberantError as error:
            status = 400 if isinstance(error, UserError) else 500
            content = message(f"Nothing was stored: {error}", self.server.base)
        self._send(status, content, nonce)

    def _refuse(self, status: int, text: str) -> None:
        self.close_connection = True  # what is left of a body unread would be taken for the next request
        self._send(status, message(text, ""))

    def _send(self, status: int, content: str, nonce: str = "") -> None:
        body = b"" if status == 303 else content.encode("utf-8", "replace")
        self.send_response(status)
        if status == 303:
            self.send_header("Location", content)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY.format(nonce) if nonce else "default-src 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
