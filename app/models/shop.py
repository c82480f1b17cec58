"""What the whole shop has one of: its merchant, as the catalogue names it, and its clock."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.base import BigKey, Json


class Shop(Model):
    """The one row; `merchant` is the catalogue's merchant block as pushed."""

    __tablename__ = "shop"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    merchant: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    # The Stripe account and mode that all stored Stripe ids of the catalogue belong to.
    stripe_account: Mapped[str | None] = mapped_column(String(64))
    # Local and test only: how far the shop's clock stands ahead of the machine's.
    clock_offset_seconds: Mapped[int] = mapped_column(BigKey, default=0)
