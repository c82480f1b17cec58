"""How fresh our state of each Stripe object is: which payload may be applied, which fetched answer still counts."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select, update

from app.extensions import db
from app.models import SyncState
from app.tasks import insert_or_ignore


def ages(object_keys: Collection[str]) -> dict[str, int]:
    """The second of the state we hold of each object; objects never seen are left out."""
    query = select(SyncState.object_key, SyncState.as_of).where(SyncState.object_key.in_(object_keys))
    return {row.object_key: row.as_of for row in db.session.execute(query)}


def take_ticket(object_key: str) -> int:
    """A sequence number for a fetch that is about to start. The caller commits before it fetches."""
    _ensure(object_key)
    return db.session.scalars(
        update(SyncState)
        .where(SyncState.object_key == object_key)
        .values(next_seq=SyncState.next_seq + 1)
        .returning(SyncState.next_seq)
        .execution_options(synchronize_session=False)
    ).one()


def admit(object_key: str, ticket: int, *, as_of: int = 0) -> bool:
    """Whether the answer to the fetch of that ticket may be applied: no later-started one was before it."""
    state = _locked(object_key)
    if state.fetched_seq > ticket:
        return False
    state.fetched_seq = ticket
    state.as_of = max(state.as_of, as_of)
    return True


def admit_payload(object_key: str, created: int) -> bool:
    """Whether an event's own payload may be applied: it is of a later second than the state we hold."""
    _ensure(object_key)
    state = _locked(object_key)
    if created <= state.as_of:
        return False
    state.as_of = created
    return True


def _ensure(object_key: str) -> None:
    db.session.execute(insert_or_ignore(SyncState).values(object_key=object_key))


def _locked(object_key: str) -> SyncState:
    return db.session.scalars(
        select(SyncState)
        .where(SyncState.object_key == object_key)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
