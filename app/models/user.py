"""User: who signs in. Staff are users with a role."""

from __future__ import annotations

from datetime import datetime

from flask_security.models import sqla
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.extensions import Base, Model
from app.models.base import Utc

sqla.FsModels.set_db_info(base_model=Base)  # type: ignore[no-untyped-call]  # Flask-Security's own

# Each role may do what the ones before it may.
STAFF_ROLES = ("viewer", "operator", "owner")


class Role(Model, sqla.FsRoleMixin):
    __tablename__ = "role"
    update_datetime: Mapped[datetime] = mapped_column(Utc, default=clock.now, onupdate=clock.now)


class WebAuthn(Model, sqla.FsWebAuthnMixin):
    __tablename__ = "webauthn"
    create_datetime: Mapped[datetime] = mapped_column(Utc, default=clock.now)
    lastuse_datetime: Mapped[datetime] = mapped_column(Utc, default=clock.now)


class User(Model, sqla.FsUserMixin):
    __tablename__ = "user"
    create_datetime: Mapped[datetime] = mapped_column(Utc, default=clock.now)
    update_datetime: Mapped[datetime] = mapped_column(Utc, default=clock.now, onupdate=clock.now)
    confirmed_at: Mapped[datetime | None] = mapped_column(Utc)

    @property
    def staff_role(self) -> str | None:
        """The highest staff role held, or None for a customer."""
        held = [role for role in STAFF_ROLES if self.has_role(role)]
        return held[-1] if held else None

    def may(self, role: str) -> bool:
        """Whether this user's staff role is `role` or higher."""
        held = self.staff_role
        return held is not None and STAFF_ROLES.index(held) >= STAFF_ROLES.index(role)
