"""A shop whose catalogue is stocked."""

import pytest
from sqlalchemy.orm import scoped_session

from tests.billing.sessions import stock_shop


@pytest.fixture
def shop(db_session: scoped_session) -> scoped_session:
    """The database session of a stocked shop."""
    stock_shop()
    return db_session
