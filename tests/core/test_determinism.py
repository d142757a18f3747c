"""Nothing but its input decides: the core reads no clock, draws no lot and depends on no order
of a set, no environment, no time zone and no language of the machine.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
CORE: Final = sorted((ROOT / "app/core").rglob("*.py"))
MAY_IMPORT: Final = {
    *("base64", "binascii", "calendar", "collections", "dataclasses", "datetime", "enum"),
    *("fractions", "functools", "hashlib", "hmac", "itertools", "math", "operator", "re"),
    *("types", "typing", "uuid", "app", "cel_expr_python"),
}
"""Whatever is not here has to be looked at first: does the same come out of it everywhere?"""
UNSURE: Final = {
    *("now", "utcnow", "today", "fromtimestamp", "utcfromtimestamp", "strftime", "localtime"),
    *("time", "monotonic", "uuid1", "uuid4", "uuid6", "uuid7", "getnode", "random", "urandom"),
    *("hash", "id", "getenv", "environ", "open", "input", "popitem", "getlocale"),
}
ANY_ORDER: Final = frozenset({("true_up.py", "terms_of")})
"""Where a set is walked and the order makes no difference, by file and function."""
REPLAY: Final = """
import hashlib, sys
from tests.corpus import cases
told = hashlib.sha256()
for n, story in enumerate(cases.stored("decisions")):
    if n % 8 == 0:
        people, broken = cases.again(story)
        came = cases.came(people.values())
        told.update(repr((story["name"], broken, came)).encode())
        assert not broken and came == {name: story[name] for name in came}, story["name"]
for n, message in enumerate(cases.stored("messages")):
    if n % 8 == 0:
        told.update(cases.meaning(message).encode())
sys.stdout.write(told.hexdigest())
"""


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_imports_and_calls_only_what_is_the_same_everywhere(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            assert {name.name.partition(".")[0] for name in node.names} <= MAY_IMPORT, where
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] in MAY_IMPORT, where
            assert not {name.name for name in node.names} & UNSURE, where
        if isinstance(node, ast.Call):
            assert _name(node.func) not in UNSURE, f"{where} calls {_name(node.func)}"
            assert not (_name(node.func) == "astimezone" and not node.args), where
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"environ", "urandom"}, where


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_takes_nothing_from_a_set_in_its_own_order(path: Path) -> None:
    """A set may be looked into, sorted or counted, not walked into what has an order."""
    tree = ast.parse(path.read_text())
    for function in [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]:
        sets = _sets(function)
        for node in ast.walk(function):
            taken: list[ast.expr] = []
            if isinstance(node, ast.For):
                taken.append(node.iter)
            if isinstance(node, ast.ListComp | ast.DictComp):
                taken += [one.iter for one in node.generators]
            if isinstance(node, ast.Call) and _name(node.func) in {"list", "tuple", "iter", "join"}:
                taken += node.args
            found = [one.lineno for one in taken if _is_set(one, sets)]
            assert not found or (path.name, function.name) in ANY_ORDER, f"{path.name}:{found}"


def _sets(function: ast.FunctionDef) -> set[str]:
    """Parameters and variables of a function that are sets, by what they are said or made to be."""
    given = [*function.args.args, *function.args.kwonlyargs]
    found = {one.arg for one in given if one.annotation and _says_set(one.annotation)}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and _is_set(node.value, found):
            found |= {one.id for one in node.targets if isinstance(one, ast.Name)}
        if isinstance(node, ast.AnnAssign) and _says_set(node.annotation):
            found |= {node.target.id} if isinstance(node.target, ast.Name) else set()
    return found


def _says_set(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).startswith(("set[", "frozenset[", "AbstractSet["))


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _is_set(node: ast.expr, sets: set[str]) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(
        node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor
    ):
        return _is_set(node.left, sets) or _is_set(node.right, sets)
    if isinstance(node, ast.Name):
        return node.id in sets
    made = isinstance(node, ast.Call) and _name(node.func) in {"set", "frozenset"}
    return made or isinstance(node, ast.Set | ast.SetComp)


def test_the_corpus_is_the_same_whatever_the_machine() -> None:
    """Its hashes' seed, time zone and language, at once in processes of their own."""
    machines = (
        {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "LANG": "tr_TR"},
        {"PYTHONHASHSEED": "31337", "TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONUTF8": "0"},
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", REPLAY],
            cwd=ROOT,
            env={**os.environ, **machine},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for machine in machines
    ]
    told = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], told
    assert len({out for out, _ in told}) == 1
    assert len(told[0][0]) == 64
