"""The house's rules, read from the syntax trees of app/ and from the running application's URL map."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.infra.run import ROOT

SURFACES = ("storefront", "account", "webhooks", "ops", "metrics", "marketplace", "api")
# From the top down: a module imports from its own line and from those below it.
LAYERS = (
    ("assembly", "gunicorn"),
    (*SURFACES, "cli", "demo", "filters"),
    ("billing", "fraud", "audit", "health"),
    ("gateway", "queue", "tasks", "mail"),
    ("models",),
    (
        *("money", "clock", "crypto", "errors", "config", "extensions"),
        *("guards", "headers", "languages", "logs", "requests"),
    ),
)
DEPTH = {room: depth for depth, rooms in enumerate(LAYERS) for room in rooms}

MONEY = ("app/money.py", "app/billing/", "app/models/")
CLOCKS = ("app/clock.py", "app/simulator/clock.py")
LEAVE_COMMITTING = ("app/billing/", "app/fraud/", "app/models/")
SPEAKS = ("app/cli.py", "app/cli/", "app/simulator/__main__.py")
VAGUE = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc", "service", "services"}

# What Flask and Flask-Security bring with them.
UNGUARDED = {"static"}
UNGUARDED_BLUEPRINTS = {"security"}

Rule = Callable[[str, ast.Module], Iterator[str]]


def imports(path: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every module imported anywhere in the tree, `from a import b` as `a.b`, relative ones resolved."""
    package = list(Path(path).with_suffix("").parts)
    if package[-1] != "__init__":
        package.pop()
    else:
        package = package[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _name(node.func).endswith(("import_module", "__import__")):
            yield from ((node.lineno, str(a.value)) for a in node.args[:1] if isinstance(a, ast.Constant))


def _name(node: ast.AST) -> str:
    """`a.b.c` for such an expression, an empty string for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _room(dotted: str) -> str:
    """The part of app a module belongs to: `billing` for `app.billing.checkout`."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "app" else ""


def _within(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or (place.endswith("/") and path.startswith(place)) for place in places)


def imports_go_down(path: str, tree: ast.Module) -> Iterator[str]:
    room = _room(path.removesuffix(".py").replace("/", "."))
    if path == "app/__init__.py" or room == "simulator":
        return
    if room not in DEPTH:
        yield f"{room} has no layer; give it one in LAYERS and in the design"
        return
    for line, name in imports(path, tree):
        other = _room(name)
        if other == "simulator":
            yield f"{line}: the product imports the simulator"
        elif other in DEPTH and DEPTH[other] < DEPTH[room]:
            yield f"{line}: {room} imports {other}, which lies above it"
        elif room in SURFACES and other in SURFACES and other != room:
            yield f"{line}: surface {room} imports surface {other}"


def only_the_gateway_knows_stripe(path: str, tree: ast.Module) -> Iterator[str]:
    if _within(path, ("app/gateway/", "app/simulator/contract.py")):
        return
    for line, name in imports(path, tree):
        if name.split(".")[0] == "stripe":
            yield f"{line}: imports stripe"


def the_simulator_stands_alone(path: str, tree: ast.Module) -> Iterator[str]:
    if not path.startswith("app/simulator/"):
        return
    for line, name in imports(path, tree):
        if name == "app" or _room(name) not in ("", "simulator", "money"):
            yield f"{line}: the simulator imports {name}"


def importing_app_does_nothing(path: str, tree: ast.Module) -> Iterator[str]:
    if path != "app/__init__.py":
        return
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for line, name in imports(path, node):
                if name.split(".")[0] not in ("__future__", "typing", "collections", "pathlib"):
                    yield f"{line}: imports {name} when app is imported"


def only_clocks_tell_time(path: str, tree: ast.Module) -> Iterator[str]:
    if _within(path, CLOCKS):
        return
    banned = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
    banned |= {"time.localtime", "time.gmtime", "func.now", "func.current_timestamp"}
    aliases = _aliases(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            head, _, rest = _name(node).partition(".")
            name = f"{aliases.get(head, head)}.{rest}"
            if any(name == one or name.endswith(f".{one}") for one in banned):
                yield f"{node.lineno}: {name} tells the time"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            for alias in node.names:
                if f"time.{alias.name}" in banned:
                    yield f"{node.lineno}: imports time.{alias.name}"


def _aliases(tree: ast.Module) -> dict[str, str]:
    """What an imported name stands for where it was renamed: `from datetime import datetime as dt`."""
    renamed = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            renamed.update({alias.asname: alias.name for alias in node.names if alias.asname})
    return renamed


def no_float_touches_money(path: str, tree: ast.Module) -> Iterator[str]:
    if not _within(path, MONEY):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield f"{node.lineno}: float literal {node.value}"
        elif isinstance(node, ast.Name) and node.id in ("float", "Float", "Double", "REAL"):
            yield f"{node.lineno}: uses {node.id}"


def addresses_come_from_settings(path: str, tree: ast.Module) -> Iterator[str]:
    if path.startswith("app/simulator/"):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func).endswith("url_for"):
            for keyword in node.keywords:
                if keyword.arg == "_external" and not _is(keyword.value, False):
                    yield f"{node.lineno}: url_for with _external follows the Host header"
        elif isinstance(node, ast.Attribute) and _name(node) in {
            f"request.{part}" for part in ("host", "host_url", "url_root", "base_url", "root_url")
        }:
            yield f"{node.lineno}: {_name(node)} follows the Host header"


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def nothing_prints(path: str, tree: ast.Module) -> Iterator[str]:
    if _within(path, SPEAKS):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in ("print", "pprint", "pprint.pprint"):
            yield f"{node.lineno}: prints"


def verbs_commit_only_around_stripe(path: str, tree: ast.Module) -> Iterator[str]:
    """Nothing calls Stripe inside a transaction, so who calls it commits first; all others leave it to the caller."""
    if not _within(path, LEAVE_COMMITTING) or any(
        _room(name) == "gateway" for _, name in imports(path, tree)
    ):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
            yield f"{node.lineno}: commits; routes and the worker do that"


def blueprints_declare_their_guard(path: str, tree: ast.Module) -> Iterator[str]:
    if path == "app/guards.py" or path.startswith("app/simulator/"):
        return
    declared = any(
        isinstance(target, ast.Name) and target.id == "GUARD"
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func).split(".")[-1] == "Blueprint" and not declared:
            yield f"{node.lineno}: a blueprint without GUARD beside it"
        elif isinstance(node, ast.Call) and _name(node.func).endswith(".register_blueprint"):
            yield f"{node.lineno}: registers a blueprint past guards.register"


def names_say_what_lives_there(path: str, tree: ast.Module) -> Iterator[str]:
    for part in Path(path).with_suffix("").parts:
        if part in VAGUE:
            yield f"{part} names no noun"
    if tree.body and not ast.get_docstring(tree):
        yield "1: no docstring on what lives here"


RULES: tuple[Rule, ...] = (
    imports_go_down,
    only_the_gateway_knows_stripe,
    the_simulator_stands_alone,
    importing_app_does_nothing,
    only_clocks_tell_time,
    no_float_touches_money,
    addresses_come_from_settings,
    nothing_prints,
    verbs_commit_only_around_stripe,
    blueprints_declare_their_guard,
    names_say_what_lives_there,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Rule):
    files = sorted((ROOT / "app").rglob("*.py"))
    assert len(files) > 20
    broken = []
    for file in files:
        path = file.relative_to(ROOT).as_posix()
        broken += [f"{path}:{problem}" for problem in rule(path, ast.parse(file.read_text(), path))]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (imports_go_down, "app/models/order.py", "from app.billing import checkout"),
        (imports_go_down, "app/billing/checkout.py", "import app.storefront.routes"),
        (imports_go_down, "app/gateway/calls.py", "from app.billing import events"),
        (imports_go_down, "app/money.py", "def f():\n    from app.models import Order"),
        (imports_go_down, "app/ops/routes.py", "from app.storefront.forms import CheckoutForm"),
        (imports_go_down, "app/ops/routes.py", "from ..metrics import routes"),
        (imports_go_down, "app/ops/routes.py", "from .. import metrics"),
        (imports_go_down, "app/cli.py", "from app import simulator"),
        (imports_go_down, "app/queue.py", "import importlib\nimportlib.import_module('app.billing.events')"),
        (imports_go_down, "app/novelty.py", ""),
        (only_the_gateway_knows_stripe, "app/billing/refunds.py", "import stripe"),
        (
            only_the_gateway_knows_stripe,
            "app/simulator/server.py",
            "from stripe.params import RefundCreateParams",
        ),
        (the_simulator_stands_alone, "app/simulator/server.py", "from app.clock import now"),
        (the_simulator_stands_alone, "app/simulator/server.py", "from app import create_app"),
        (the_simulator_stands_alone, "app/simulator/server.py", "import app"),
        (the_simulator_stands_alone, "app/simulator/resources/price.py", "from ...models import Price"),
        (importing_app_does_nothing, "app/__init__.py", "from app.extensions import db"),
        (importing_app_does_nothing, "app/__init__.py", "from flask import Flask"),
        (only_clocks_tell_time, "app/billing/stock.py", "from datetime import datetime\ndatetime.now()"),
        (only_clocks_tell_time, "app/billing/stock.py", "from datetime import datetime as dt\ndt.utcnow()"),
        (only_clocks_tell_time, "app/billing/stock.py", "import datetime\ndatetime.datetime.now(tz)"),
        (
            only_clocks_tell_time,
            "app/models/order.py",
            "from datetime import date\nc = Column(default=date.today)",
        ),
        (only_clocks_tell_time, "app/gateway/client.py", "import time\ntime.time()"),
        (only_clocks_tell_time, "app/gateway/client.py", "from time import time"),
        (only_clocks_tell_time, "app/models/order.py", "from sqlalchemy import func\nx(func.now())"),
        (no_float_touches_money, "app/billing/ledger.py", "rate = 0.19"),
        (no_float_touches_money, "app/money.py", "float(amount)"),
        (no_float_touches_money, "app/models/payment.py", "from sqlalchemy import Float\nc = Column(Float)"),
        (no_float_touches_money, "app/models/payment.py", "amount: float"),
        (addresses_come_from_settings, "app/mail.py", "url_for('account.home', _external=True)"),
        (addresses_come_from_settings, "app/mail.py", "flask.url_for('home', _external=flag)"),
        (addresses_come_from_settings, "app/mail.py", "link = request.host_url + 'reset'"),
        (nothing_prints, "app/billing/ledger.py", "print(total)"),
        (verbs_commit_only_around_stripe, "app/billing/refunds.py", "db.session.commit()"),
        (blueprints_declare_their_guard, "app/ops/routes.py", "bp = Blueprint('ops', __name__)"),
        (
            blueprints_declare_their_guard,
            "app/ops/routes.py",
            "def f():\n    GUARD = 1\nbp = flask.Blueprint('ops', 'x')",
        ),
        (blueprints_declare_their_guard, "app/ops/routes.py", "app.register_blueprint(bp)"),
        (names_say_what_lives_there, "app/billing/utils.py", '"""Things."""'),
        (names_say_what_lives_there, "app/billing/refunds.py", "x = 1"),
    ],
)
def test_the_rule_catches(rule: Rule, path: str, source: str):
    assert list(rule(path, ast.parse(source)))


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (
            imports_go_down,
            "app/storefront/routes.py",
            "from app.billing import checkout\nfrom . import forms",
        ),
        (imports_go_down, "app/billing/checkout.py", "from app.fraud import screen\nfrom app import clock"),
        (imports_go_down, "app/__init__.py", "def create_app():\n    from app.ops import routes"),
        (
            the_simulator_stands_alone,
            "app/simulator/server.py",
            "from app.money import exponent\nfrom . import ids",
        ),
        (
            only_clocks_tell_time,
            "app/billing/stock.py",
            "import time\nfrom app import clock\nclock.now()\ntime.monotonic()",
        ),
        (addresses_come_from_settings, "app/ops/routes.py", "url_for('ops.order', _external=False)"),
        (
            verbs_commit_only_around_stripe,
            "app/billing/refunds.py",
            "from app import gateway\ndb.session.commit()",
        ),
        (verbs_commit_only_around_stripe, "app/ops/routes.py", "db.session.commit()"),
        (
            blueprints_declare_their_guard,
            "app/ops/routes.py",
            "GUARD = 'staff:viewer'\nbp = Blueprint('ops', 'x')",
        ),
    ],
)
def test_the_rule_lets_pass(rule: Rule, path: str, source: str):
    assert not list(rule(path, ast.parse(source)))


def test_templates_never_build_addresses_from_the_host():
    broken = [
        f"{file.relative_to(ROOT)}: {word}"
        for file in sorted((ROOT / "templates").rglob("*"))
        if file.is_file()
        for word in ("_external", "request.host", "request.url_root", "request.base_url")
        if word in file.read_text()
    ]
    assert not broken, "\n".join(broken)


def test_every_endpoint_stands_behind_a_guard(app):
    from app.guards import GUARDS

    declared = app.extensions["guards"]
    assert set(declared.values()) <= set(GUARDS)
    open_doors = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in UNGUARDED
        and (room := rule.endpoint.rpartition(".")[0]) not in declared
        and room not in UNGUARDED_BLUEPRINTS
    ]
    assert not open_doors
    assert any(rule.endpoint.rpartition(".")[0] in declared for rule in app.url_map.iter_rules())


def test_an_unknown_guard_stops_the_boot(app):
    from flask import Blueprint, Flask

    from app import guards

    with pytest.raises(ValueError, match="no known guard"):
        guards.register(Flask("other"), Blueprint("door", __name__), "everyone")
