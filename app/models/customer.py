"""Customer: who pays. A user is optional, for guests buy too."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.crypto import EncryptedText, lookup, normal_email, public_id
from app.extensions import Model
from app.models.base import BigKey, Utc


class Customer(Model):
    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: public_id("cus"))
    stripe_customer_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    email: Mapped[str] = mapped_column(EncryptedText)
    email_hash: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str | None] = mapped_column(EncryptedText)
    country: Mapped[str | None] = mapped_column(String(2))
    livemode: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Utc, default=clock.now)

    def write_email(self, address: str) -> None:
        """Set the address and the hash it is found by."""
        self.email = address.strip()
        self.email_hash = email_hash(address)


def email_hash(address: str) -> str:
    """What an address, however spelt, is found by."""
    return lookup(normal_email(address))
