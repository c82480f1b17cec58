"""User: who signs in. Staff are users with a role."""

from __future__ import annotations

from typing import ClassVar

from flask_security.models import sqla

from app.extensions import Base, Model

sqla.FsModels.set_db_info(base_model=Base)

# Each role may do what the ones before it may.
STAFF_ROLES = ("viewer", "operator", "owner")


class Role(Model, sqla.FsRoleMixin):
    __tablename__ = "role"


class WebAuthn(Model, sqla.FsWebAuthnMixin):
    __tablename__ = "webauthn"


class User(Model, sqla.FsUserMixin):
    __tablename__ = "user"
    ROLES: ClassVar[tuple[str, ...]] = STAFF_ROLES

    @property
    def staff_role(self) -> str | None:
        """The highest staff role held, or None for a customer."""
        held = [role for role in STAFF_ROLES if self.has_role(role)]
        return held[-1] if held else None

    def may(self, role: str) -> bool:
        """Whether this user's staff role is `role` or higher."""
        held = self.staff_role
        return held is not None and STAFF_ROLES.index(held) >= STAFF_ROLES.index(role)
