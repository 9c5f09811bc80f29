"""Serve the assistant and an invented site beside it, which shows it as a guest: ``make demo``."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
WRITTEN = b"http://127.0.0.1:7860"  # the address of the assistant in the pages


class Site(SimpleHTTPRequestHandler):
    """Serves the pages of this folder with the address at which the assistant really answers."""

    def __init__(self, *arguments: object, assistant: str, **options: object) -> None:
        self.assistant = assistant.encode()
        super().__init__(*arguments, directory=str(FOLDER), **options)

    def do_GET(self) -> None:
        """Answer with a page, or with another file as it is."""
        path = FOLDER / (self.path.partition("?")[0].lstrip("/") or "index.html")
        if path.parent != FOLDER or path.suffix != ".html" or not path.is_file():
            super().do_GET()
            return
        body = path.read_bytes().replace(WRITTEN, self.assistant)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


def main() -> None:
    """Start both, say where they are, and end both when either ends or Ctrl-C is pressed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=7860, help="port of the assistant (0: any free one)")
    options.add_argument("--site-port", type=int, default=8000, help="port of the site (0: any free one)")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        site = ThreadingHTTPServer(("127.0.0.1", given.site_port), Site)
    except OSError as error:
        sys.exit(f"The site's port {given.site_port} cannot be used ({error}). Choose another with --site-port.")
    origin = f"http://127.0.0.1:{site.server_port}"
    command = [sys.executable, "-m", "assistant.cli", "serve", "--port", str(given.port), "--allow-origin", origin]
    with site, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as assistant:
        with suppress(KeyboardInterrupt):
            _follow(assistant, site, origin)
        assistant.terminate()
    sys.exit(max(assistant.returncode, 0))


def _follow(assistant: subprocess.Popen[str], site: ThreadingHTTPServer, origin: str) -> None:
    """Open the site when the assistant has said where it answers; return when the assistant ends."""
    for line in assistant.stdout or ():
        sys.stdout.write(line)
        site.RequestHandlerClass = partial(Site, assistant=line.split()[-1].rstrip("/"))
        threading.Thread(target=site.serve_forever, daemon=True).start()
        sys.stdout.write(f"The site that shows it is at {origin}/ (Ctrl-C ends both)\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
