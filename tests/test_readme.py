"""The README's story is the one that `make run` prints, which another test plays."""

import re
from pathlib import Path

from app.demo import Demo, story

_README = Path(__file__).parents[1] / "README.md"
_NAMES = re.compile(r"\b[A-Z]+(?==)")


def test_the_readme_shows_the_printed_commands() -> None:
    printed = story(Demo("part_1", "code", "src_1", "whsec_1"), base_url="http://x", key="ff_1")
    _, _, rest = _README.read_text().partition("\n## The story\n")
    told, _, _ = rest.partition("\n## ")
    values, *commands, proof = re.findall(r"```sh\n(.*?)```", told, re.DOTALL)
    assert len(commands) == 5
    assert [block for block in commands if block not in printed] == []
    assert set(_NAMES.findall(values)) <= set(_NAMES.findall(printed))
    assert "verify" in proof
