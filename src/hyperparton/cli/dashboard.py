"""`hyperparton dashboard`: the report of a scan at work, served to this machine alone."""

from __future__ import annotations

import re
import sys
import threading
import time
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hyperparton.cli.options import store_option
from hyperparton.cli.report import chosen_options, selection_options
from hyperparton.cli.status import status_lines
from hyperparton.errors import HyperpartonError, ReportError

if TYPE_CHECKING:
    from hyperparton.report.html import Progress
    from hyperparton.report.options import Options
    from hyperparton.trials.store_url import StoreURL

__all__ = ["LivePage", "dashboard", "make_server"]

_LOOPBACK = "127.0.0.1"

#: what a browser calls this machine, with or without the port: a page elsewhere may give its own name our address
_THIS_MACHINE = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)

#: the share of the time that making the page may take, so that watching a scan does not slow it down
_SHARE = 0.2


@click.command()
@click.argument("directories", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True, help="0 takes any free one.")
@store_option
@selection_options
def dashboard(directories: tuple[Path, ...], port: int, store: StoreURL | None, **chosen: Any) -> None:
    """Serve the report of the scans in DIR... on loopback; the page follows while they run. Ctrl-C ends it."""
    from hyperparton.report.filters import parse_filter

    options = chosen_options(**chosen)
    for text in options.filters:
        parse_filter(text)
    live = LivePage(directories, options, store)
    with make_server(live, port) as server:
        click.echo(f"http://{_LOOPBACK}:{server.server_address[1]}/")
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            click.echo("ended", err=True)


class LivePage:
    """The page, made anew when the trials have changed, but not so often that it costs a scan its time."""

    def __init__(self, directories: tuple[Path, ...], options: Options, store: StoreURL | None = None) -> None:
        self._directories, self._options, self._store = directories, options, store
        self._lock = threading.Lock()
        self._tried, self._shown, self._text = "", "", ""
        self._made, self._cost = 0.0, 0.0

    def look(self) -> tuple[str, str]:
        """What names the present page, and the page; before there are trials, a page that says so."""
        from hyperparton.report.status import signature

        with self._lock:
            state = "|".join(signature(directory, self._store) for directory in self._directories)
            rested = time.monotonic() - self._made > self._cost * (1 / _SHARE - 1)
            if self._made == 0.0 or (state != self._tried and rested):
                self._make(state)
            return self._shown, self._text

    def _make(self, state: str) -> None:
        from hyperparton.report.scans import read_scans
        from hyperparton.report.summary import summarise
        from hyperparton.report.write import render
        from hyperparton.workflow.own import with_own
        from hyperparton.workflow.ranges import with_spaces

        begun = time.monotonic()
        try:
            summary = summarise(with_own(with_spaces(read_scans(self._directories, self._store))), self._options)
            status = [self._progress(directory) for directory in self._directories]
            self._text, self._shown = render(summary, now=time.time(), live=state, status=status), state
        except HyperpartonError as fault:
            if self._made == 0.0:
                self._text = _waiting(str(fault))
                return
            # the last page that could be made stays: a scan may be moving its files
        self._tried, self._made = state, time.monotonic()
        self._cost = self._made - begun

    def _progress(self, directory: Path) -> Progress:
        """What `hyperparton status` says."""
        from hyperparton.report.html import Progress
        from hyperparton.report.status import status_of

        at = status_of(directory, time.time(), store=self._store)
        return Progress(status_lines(at, time.time()), at.finished, at.total)


def _waiting(reason: str) -> str:
    """A page that looks again by itself, for scans that have no trial yet."""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
        f"<title>Waiting for trials</title></head><body><p>Waiting for trials: {escape(reason)}</p></body></html>"
    )


class _Server(ThreadingHTTPServer):
    """One that a browser may leave in the middle of an answer."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def make_server(live: LivePage, port: int) -> ThreadingHTTPServer:
    """The server, listening on loopback only; raises ReportError if the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not _THIS_MACHINE.fullmatch(self.headers.get("Host", "").strip()):
                self.send_error(403, "this dashboard is served to this machine alone")
            elif self.path == "/":
                self._answer(live.look()[1], "text/html; charset=utf-8")
            elif self.path == "/state":
                self._answer(live.look()[0], "text/plain; charset=utf-8")
            else:
                self.send_error(404)

        def _answer(self, text: str, kind: str) -> None:
            body = text.encode(errors="backslashreplace")
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return None

    try:
        return _Server((_LOOPBACK, port), Handler)
    except OSError as fault:
        raise ReportError(f"port {port}: cannot be listened on: {fault.strerror}; --port 0 takes a free one") from fault
