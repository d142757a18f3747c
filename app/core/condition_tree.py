"""What a compiled condition is made of, read from the form in which the CEL library writes it.

Source: cel-spec, proto/cel/expr/checked.proto and syntax.proto; protobuf's wire format.
"""

from collections.abc import Iterator
from typing import Final

from app.core.records import record

_ANY_VALUE: Final = 2
_CHECKED_EXPR: Final = 4
_CONSTANT, _IDENT, _SELECT, _CALL, _LIST, _STRUCT, _LOOP = 3, 4, 5, 6, 7, 8, 9
_CONSTANT_TEXT: Final = 6
_NAME: Final = {_IDENT: 1, _CALL: 2}
_CHILDREN: Final = {_SELECT: (1,), _CALL: (1, 3), _LIST: (1,), _LOOP: (2, 4)}
_ENTRIES: Final = 2
_ENTRY_CHILDREN: Final = (3, 4)
_REPEATED: Final = (5, 6, 7)
"""The fields of a loop that are evaluated once per element."""


@record
class Part:
    """One node of the tree.

    loops: how many iterations it stands inside. name: of a fact, a variable or a function.
    last_text: a call's last argument, if that is a literal text.
    """

    loops: int
    is_loop: bool
    is_constant: bool
    name: str
    last_text: str | None


def parts(serialized: bytes) -> Iterator[Part]:
    """All nodes of a checked expression. serialized: an `Any` that holds a `CheckedExpr`."""
    (checked,) = _messages(serialized, (_ANY_VALUE,))
    (expr,) = _messages(checked, (_CHECKED_EXPR,))
    return _walk(expr, 0)


def _walk(expr: bytes, loops: int) -> Iterator[Part]:
    kind, body = next(
        (number, field)
        for number, field in _fields(expr)
        if _CONSTANT <= number <= _LOOP and isinstance(field, bytes)
    )
    children = _messages(body, _CHILDREN.get(kind, ()))
    if kind == _STRUCT:
        entries = _messages(body, (_ENTRIES,))
        children = [child for entry in entries for child in _messages(entry, _ENTRY_CHILDREN)]
    yield Part(
        loops,
        is_loop=kind == _LOOP,
        is_constant=kind == _CONSTANT,
        name=b"".join(_messages(body, (_NAME[kind],))).decode() if kind in _NAME else "",
        last_text=_literal_text(children[-1]) if kind == _CALL and children else None,
    )
    for child in children:
        yield from _walk(child, loops)
    for child in _messages(body, _REPEATED) if kind == _LOOP else ():
        yield from _walk(child, loops + 1)


def _literal_text(expr: bytes) -> str | None:
    for constant in _messages(expr, (_CONSTANT,)):
        for text in _messages(constant, (_CONSTANT_TEXT,)):
            return text.decode()
    return None


def _messages(message: bytes, numbers: tuple[int, ...]) -> list[bytes]:
    """The length-delimited fields with these numbers, in the order they are written."""
    return [
        field
        for number, field in _fields(message)
        if number in numbers and isinstance(field, bytes)
    ]


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of one protobuf message; fixed-size numbers stay bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                number, at = _varint(message, at)
                yield key >> 3, number
            case 2:
                size, at = _varint(message, at)
                yield key >> 3, message[at : at + size]
                at += size
            case wire_type:
                size = {1: 8, 5: 4}[wire_type]
                yield key >> 3, message[at : at + size]
                at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
