"""Serves the folder of the report on the loopback address: `python -m flows.pages.report_server PORT`.

Files are read at each look, so that a later run shows at the next reload; before the first one the
page says which command makes it.
"""

import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from flows.pages.ports import HOST
from stages.foundation import artefacts

NOT_YET = b"<!doctype html><title>Assay</title><p>There is no report yet: <code>assay run</code> makes it."
OURS = (HOST, "localhost")


class Report(SimpleHTTPRequestHandler):
    """Answers for this machine's own names alone, so that no other site's name can lead here."""

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").partition(":")[0]
        if host not in OURS:
            self.send_error(HTTPStatus.FORBIDDEN, "ask for 127.0.0.1 or localhost")
        elif self.path == "/" and not Path(artefacts.PAGE).is_file():
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(NOT_YET)))
            self.end_headers()
            self.wfile.write(NOT_YET)
        else:
            super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: a line a look helps nobody."""


def main(port: int) -> None:
    """Until the process is ended."""
    handler = partial(Report, directory=artefacts.REPORT)
    with ThreadingHTTPServer((HOST, port), handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
