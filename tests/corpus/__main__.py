"""`python -m tests.corpus NAME…`: adds what the tests named tell now; nothing frozen is changed.

Without a name all tests of core and mappers are overheard: that is how the first files were made.
`python -m tests.corpus show WORD` prints the stories that have the word in their name.
"""

import argparse
import sys

import pytest

from tests.corpus import cases, own_messages
from tests.corpus.cases import Json
from tests.corpus.listening import Overheard

_FROM = ("tests/core", "tests/contract")
_APART = ("test_fuzz", "test_any_message", "published", "hostile", "lint", "plan_refusals")
"""Tests whose messages are noise, other people's files, or that decide nothing."""
_OFTEN = {"test_any_plan": 1, "test_fold_properties": 30, "test_own_ids": 60}
"""By file of properties: of how many of its roads one is kept."""


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    asked.add_argument("names", nargs="*")
    names = asked.parse_args().names
    if names[:1] == ["show"]:
        return show(names[1])
    heard = Overheard(keep)
    options = ["-q", "-n0", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-seed=5"]
    apart = ["-k", " and ".join(f"not {word}" for word in _APART)]
    quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    status = pytest.main([*options, *apart, *quiet, *(names or _FROM)], plugins=[heard])
    if status != pytest.ExitCode.OK:
        return int(status)
    known = {_outcomes(story) for story in cases.stored("decisions")}
    fresh = {_outcomes(story): story for story in heard.stories if _outcomes(story) not in known}
    read = {message["body"] for message in cases.stored("messages")}
    told = [*heard.messages.values(), *(own_messages.messages() if not names else ())]
    messages = [
        {**message, "means": cases.meaning(message)}
        for message in told
        if message["body"] not in read
    ]
    for kind, found in (("decisions", list(fresh.values())), ("messages", messages)):
        if found:
            path = cases.add(kind, found)
            sys.stdout.write(f"{path.name}: {len(found)} cases, {path.stat().st_size} bytes\n")
    return 0


def _outcomes(story: Json) -> str:
    return " ".join(decision["outcome"] for decision in story["decisions"])


def keep(test: str, number: int) -> bool:
    file = test.rpartition("/")[2].partition(".py")[0]
    return number <= 3 or number % _OFTEN.get(file, 20) == 0


def show(word: str) -> int:
    for story in cases.stored("decisions"):
        if word in story["name"]:
            told = [f"  {line}" for line in story["came"]]
            sys.stdout.write("\n".join((story["name"], *told, f"  {story['codes']}\n")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
