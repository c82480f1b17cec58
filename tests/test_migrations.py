"""Each migration goes up, down and up again, on both databases, and the models say what they say."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from app import create_app
from app.config import Settings
from app.extensions import db
from tests.infra import databases, postgres
from tests.infra.run import ROOT

MIGRATIONS = ROOT / "migrations"


def revisions(directory: Path) -> list[str]:
    """Every revision, oldest first."""
    config = Config()
    config.set_main_option("script_location", str(directory))
    return [
        script.revision for script in reversed(list(ScriptDirectory.from_config(config).walk_revisions()))
    ]


def schema(url: str) -> str:
    """The whole schema as text, alembic's own bookkeeping left out."""
    if url.startswith("postgresql"):
        server = postgres.server()
        keep = (part for part in server.dump_schema(url.rpartition("/")[2]).split(";\n"))
        return ";\n".join(part for part in keep if "alembic_version" not in part)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        lines = [f"{kind} {name}: {' '.join(text.split())}" for kind, name, text in rows]
    return "\n".join(sorted(line for line in lines if "alembic_version" not in line))


@contextmanager
def unmigrated(kind: str) -> Iterator[str]:
    """An empty database inside an application context bound to it; its URL."""
    with databases.empty(kind) as url:
        app = create_app(Settings.from_env({"APP_ENV": "test", "DATABASE_URL": url, "LOG_LEVEL": "WARNING"}))
        with app.app_context():
            yield url
            db.session.remove()
            db.engine.dispose()


def there_and_back(directory: Path, migrated: Callable[[], str]) -> None:
    """Take each revision up, down and up; raise AssertionError when the schema is not what it was."""
    for revision in revisions(directory):
        before = migrated()
        flask_migrate.upgrade(str(directory), revision)
        after = migrated()
        assert after != before, f"{revision} changes nothing on the way up"
        flask_migrate.downgrade(str(directory), "-1")
        assert migrated() == before, f"{revision} does not take back what it did"
        flask_migrate.upgrade(str(directory), revision)
        assert migrated() == after, f"{revision} does something else the second time"


@pytest.mark.parametrize("kind", databases.KINDS)
def test_each_migration_goes_up_down_and_up(kind: str):
    assert revisions(MIGRATIONS)
    with unmigrated(kind) as url:
        there_and_back(MIGRATIONS, lambda: schema(url))


@pytest.mark.parametrize("kind", databases.KINDS)
def test_a_downgrade_that_does_nothing_is_caught(kind: str, tmp_path: Path):
    directory = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, directory, ignore=shutil.ignore_patterns("__pycache__", "[0-9]*.py"))
    (directory / "versions").mkdir(exist_ok=True)
    (directory / "versions" / "0001_forgetful.py").write_text(FORGETFUL)
    with unmigrated(kind) as url, pytest.raises(AssertionError, match="does not take back"):
        there_and_back(directory, lambda: schema(url))


FORGETFUL = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "forgetful", None


def upgrade():
    op.create_table("left_behind", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    pass
"""


def test_migrations_are_numbered_in_order():
    names = [path.name for path in sorted((MIGRATIONS / "versions").glob("*.py"))]
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


@databases.both
def test_models_say_what_the_migrations_say(app):
    with app.app_context():
        flask_migrate.check(str(MIGRATIONS))


@databases.both
def test_a_model_without_its_migration_is_caught(app):
    with app.app_context():
        extra = sa.Table("never_migrated", db.metadata, sa.Column("id", sa.Integer, primary_key=True))
        try:
            with pytest.raises(SystemExit):
                flask_migrate.check(str(MIGRATIONS))
        finally:
            db.metadata.remove(extra)
