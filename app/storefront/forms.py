"""What a buyer may send, and in which form. The server's catalogue decides everything that costs."""

from __future__ import annotations

import re
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, StringField
from wtforms.validators import Length, Regexp, ValidationError

from app.billing.offers import MAX_QUANTITY

WHOLE = re.compile(r"[1-9][0-9]?")


class Quantity:
    """A whole number from 1 to MAX_QUANTITY in plain digits: no sign, point, exponent or other script's digits."""

    def __call__(self, _form: Any, field: Field) -> None:
        if len(field.raw_data or []) != 1 or not WHOLE.fullmatch(str(field.data or "")):
            raise ValidationError(_l("Enter a whole number from 1 to %(most)s", most=MAX_QUANTITY))


class CheckoutForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF carries no types
    """One decision to buy."""

    price = HiddenField(validators=[Regexp(r"^[a-z0-9-]{1,200}$")])
    quantity = StringField(_l("Quantity"), validators=[Quantity()])
    seen_total = HiddenField(validators=[Regexp(r"^[0-9]{1,12}$")])
    decision_key = HiddenField(validators=[Length(16, 64), Regexp(r"^[A-Za-z0-9_-]+$")])
