"""nginx, which passes on and does nothing else: the practical limit of a gateway."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.load.options import Mode
from benchmarks.wire.gateway import OPENAI_PATH, Gateway, Setup
from benchmarks.wire.ports import free_port

__all__ = ["DIRECT", "NGINX"]

CONFIGURATION = """\
daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn; worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000; client_max_body_size 32m; client_body_buffer_size 64k;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  upstream up {{ server {upstream}; keepalive 1024; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_read_timeout 300;
    }} }} }}
"""


def prepare(folder: Path, upstream: str) -> Setup:
    """Write the configuration."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise SystemExit("the benchmark needs nginx to compare with: apt-get install nginx-light")
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(upstream=urlsplit(upstream).netloc, port=port))
    return Setup(command=[program, "-p", str(folder), "-c", str(configuration)], port=port, ready="/v1/models")


_PATHS: dict[Mode, str] = {"json": OPENAI_PATH, "sse": OPENAI_PATH}
DIRECT = Gateway(name="direct", prepare=None, paths=_PATHS)
NGINX = Gateway(name="nginx", prepare=prepare, paths=_PATHS)
