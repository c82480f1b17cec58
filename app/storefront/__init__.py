"""The storefront: offers, checkout, and the page a buyer comes back to. Routes and forms, nothing else."""

from app.storefront import language, purchase  # noqa: F401  # their routes are the blueprint's
from app.storefront.mailbox import GUARD as MAILBOX_GUARD
from app.storefront.mailbox import blueprint as mailbox
from app.storefront.pages import GUARD, blueprint

__all__ = ["GUARD", "MAILBOX_GUARD", "blueprint", "mailbox"]
