"""stub"""

from __future__ import annotations

from app.simulator.registry import Doc
from app.simulator.transaction import Transaction


def after_challenge(tx: Transaction, intent: Doc) -> None:
    """Nothing yet."""
