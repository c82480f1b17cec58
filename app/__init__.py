"""create_app(): the order in which the product is put together. Importing this package does nothing else,
so that `python -m app.simulator` starts alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """The Flask application for `settings` (from the environment unless given)."""
    from app.assembly import assemble
    from app.config import Settings

    return assemble(settings or Settings.from_env())
