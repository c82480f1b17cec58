"""The operations console: what the merchant's staff see and repair. Behind a staff login."""

from app.ops import events, home, order, orders, payments  # noqa: F401  # their routes are the blueprint's
from app.ops.door import GUARD, blueprint

__all__ = ["GUARD", "blueprint"]
