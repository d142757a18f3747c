"""The house rules that no linter knows, read from the source itself (`make check` runs them)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APP = sorted((ROOT / "app").rglob("*.py"))
CORE = sorted((ROOT / "app/core").rglob("*.py"))
MONEY = [*CORE, *sorted((ROOT / "app/ledger").rglob("*.py"))]
ALL = sorted(
    path
    for folder in ("app", "tests", "bench", "faults", "migrations")
    for path in (ROOT / folder).rglob("*.py")
)

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 6

# Migrations are lists of columns, and tools write them.
SIZE_APART = frozenset({"migrations/versions/0001_foundation.py"})
COMMITS = ("app/db/", "app/redirect/journal")
"""Who may end a transaction: the boundary, and the journal on its own SQLite file."""
SWALLOWS = {
    "app/worker.py": "the worker loop goes on, and counts",
    "app/conversions/intake/inbox.py": "one event must not stop the others; counted as an attempt",
    "app/conversions/batching.py": "handed to each request that waits in the batch",
    "app/conversions/sources/reconcile.py": "one page must not stop other sources; told, given up",
    "app/conversions/proof/true_ups.py": "verify reads tampered facts and names what breaks",
    "app/conversions/proof/replay.py": "verify reads tampered facts and names what breaks",
    "app/conversions/providers/stripe.py": "whatever breaks while verifying is a bad signature",
    "app/redirect/journal.py": "a visitor is sent on even if the log can't be written",
    "app/redirect/watch.py": "a background loop outlives whatever breaks one round, and counts",
    "app/webhook_protocol.py": "what breaks the short way is left to uvicorn, counted; a 500",
    "app/redirect/protocol.py": "what breaks the short way is left to uvicorn, counted; a 500",
}
"""Where `except Exception` may stand, and why."""
NAMES_TO_AVOID = frozenset({"service.py", "repository.py", "utils.py", "helpers.py", "manager.py"})
MARKERS = ("TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield node


def files(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=name)


@files(ALL)
def test_a_file_has_one_subject(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= MAX_FILE_LINES or name(path) in SIZE_APART, len(lines)


@files(ALL)
def test_functions_are_short_and_take_few_parameters(path: Path) -> None:
    for function in functions(path):
        where = f"{name(path)}:{function.lineno} {function.name}"
        if name(path) not in SIZE_APART:
            first = function.body[0].lineno
            assert (function.end_lineno or first) - first < MAX_FUNCTION_LINES, where
        if path.is_relative_to(ROOT / "app"):
            taken = function.args
            parameters = [*taken.posonlyargs, *taken.args, *taken.kwonlyargs]
            own = [p for p in parameters if p.arg not in {"self", "cls"}]
            assert len(own) <= MAX_PARAMETERS, where


@files(APP)
def test_a_module_says_its_one_idea_in_six_lines(path: Path) -> None:
    said = ast.get_docstring(tree(path))
    assert said, name(path)
    assert len(said.splitlines()) <= 6, name(path)


@files(APP)
def test_names_say_what_a_file_does(path: Path) -> None:
    assert path.name not in NAMES_TO_AVOID, name(path)


@files(APP)
def test_only_the_boundary_commits(path: Path) -> None:
    if name(path).startswith(COMMITS):
        return
    for call in calls(path):
        ends = isinstance(call.func, ast.Attribute) and call.func.attr in {"commit", "rollback"}
        assert not ends, f"{name(path)}:{call.lineno}"


@files(CORE)
def test_the_core_waits_for_nothing(path: Path) -> None:
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for node in ast.walk(tree(path)):
        assert not isinstance(node, kinds), name(path)


@files(CORE)
def test_the_core_knows_no_clock_no_chance_and_no_files(path: Path) -> None:
    banned = {"now", "utcnow", "today", "time", "open", "print", "input", "uuid1", "uuid4", "uuid7"}
    for call in calls(path):
        called = call.func
        word = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        assert word not in banned, f"{name(path)}:{call.lineno} {word}"
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
    }
    assert not imported & {"random", "secrets", "time", "logging", "os", "pathlib"}, name(path)


@files(MONEY)
def test_money_is_never_a_float(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "float", f"{name(path)}:{node.lineno}"
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float), f"{name(path)}:{node.lineno} {node.value}"
        if isinstance(node, ast.BinOp):
            assert not isinstance(node.op, ast.Div), (
                f"{name(path)}:{node.lineno} divides to a float"
            )


@files(APP)
def test_what_is_swallowed_is_listed(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler) and name(path) not in SWALLOWS:
            assert not catches_all(node), f"{name(path)}:{node.lineno}"


def catches_all(handler: ast.ExceptHandler) -> bool:
    """Also one that only cleans up: unless it raises again as its last step."""
    if handler.type is None:
        is_broad = True
    else:
        broad = {"Exception", "BaseException"}
        is_broad = any(getattr(node, "id", "") in broad for node in ast.walk(handler.type))
    last = handler.body[-1]
    return is_broad and not (isinstance(last, ast.Raise) and last.exc is None)


@files(ALL)
def test_nothing_is_left_for_later(path: Path) -> None:
    text = path.read_text()
    assert not [marker for marker in MARKERS if marker in text], name(path)
    if path.is_relative_to(ROOT / "app"):
        for node in ast.walk(tree(path)):
            raised = node.exc if isinstance(node, ast.Raise) else None
            assert "NotImplementedError" not in ast.dump(raised) if raised else True, name(path)
            # An abstract method or a protocol has its docstring; `...` alone is a stub.
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and len(node.body) == 1:
                assert not isinstance(node.body[0], ast.Pass), f"{name(path)}:{node.lineno}"


@files(sorted((ROOT / "app/db/tables").glob("*.py")))
def test_tables_have_no_relationships(path: Path) -> None:
    assert "relationship(" not in path.read_text()


def test_features_have_three_files_at_most() -> None:
    for folder in sorted((ROOT / "app/program").iterdir()):
        if folder.is_dir() and folder.name != "__pycache__":
            modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
            assert 1 <= len(modules) <= 3, folder.name
