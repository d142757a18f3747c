"""nginx answering 302 by itself: one worker process, its default access log, nothing else.

The log is written and never synced; the Location is the same for everybody.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CONFIGURATION = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log combined;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;  # wrk keeps its connections, as it does with the others
    server {{
        listen 127.0.0.1:{port};
        add_header Cache-Control no-store;
        location / {{ return 302 https://shop.example/landing?click_id={token}; }}
    }}
}}
"""


def installed() -> str | None:
    """The program; Debian keeps it where only root looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def serve(folder: Path, port: int) -> Iterator[None]:
    """folder: empty; nginx keeps all its files there."""
    program = installed()
    assert program is not None
    text = _CONFIGURATION.format(folder=folder, port=port, token="x" * 60)
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen([program, "-p", folder, "-c", folder / "nginx.conf"])
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)
