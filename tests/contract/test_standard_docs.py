"""The worked examples of docs/standard-webhooks.md do what they say."""

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.conversions.providers import standard
from app.conversions.providers.mapping import Mapped
from tests.contract.standard_objects import SECRET

TEXT = (Path(__file__).parents[2] / "docs" / "standard-webhooks.md").read_text()
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def read(body: bytes) -> Mapped:
    meaning = standard.read(body, live=True, received_at=LATER)
    assert isinstance(meaning, Mapped), meaning
    return meaning


def test_each_type_has_an_example_that_reads() -> None:
    examples = [block.encode() for block in blocks("json")]
    assert {read(example).type for example in examples} == set(standard.EVENT_TYPES)
    assert orjson.loads(examples[0])["type"] == "sale"


def test_the_python_example_is_accepted() -> None:
    names: dict[str, Any] = {}
    (source,) = blocks("python")
    exec(compile(source, "docs/standard-webhooks.md", "exec"), names)  # our own example
    message = orjson.loads(blocks("json")[0])
    request = names["request_for"]("http://127.0.0.1/", SECRET, message)
    assert standard.verify(dict(request.header_items()), request.data, [SECRET], now=_now())
    assert read(request.data).kind == "payment"


@pytest.mark.skipif(not all(map(shutil.which, ("sh", "openssl", "od"))), reason="needs openssl")
def test_the_shell_example_is_accepted() -> None:
    (source,) = blocks("sh")
    script = "curl() { for one; do printf '%s\\0' \"$one\"; done; }\n" + source
    run = subprocess.run(["sh", "-c", script], capture_output=True, check=True, timeout=20)
    said = run.stdout.decode().split("\0")
    sent = [said[n + 1] for n, word in enumerate(said) if word == "-H"]
    headers = dict(one.split(": ", 1) for one in sent)
    body = said[said.index("--data-binary") + 1].encode()
    assert standard.verify(headers, body, [SECRET], now=_now())
    assert read(body).kind == "lead"


def _now() -> datetime:
    return datetime.now(UTC)
