"""How gunicorn serves the shop: `gunicorn -c python:app.gunicorn wsgi:app`. Preloads; a fork shares no socket."""

from __future__ import annotations

import os
from typing import Any

bind = os.environ.get("WEB_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
worker_class = "gthread"
preload_app = True
timeout = 60
graceful_timeout = 20
keepalive = 5
limit_request_line = 4094
limit_request_fields = 64
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112  # a heartbeat on disk can stall
accesslog = None
loglevel = "warning"


def post_fork(_server: Any, _worker: Any) -> None:
    """A connection opened before the fork belongs to the parent; drop ours without closing theirs."""
    from app import gateway
    from app.extensions import db
    from wsgi import app

    gateway.close()
    with app.app_context():
        db.engine.dispose(close=False)
