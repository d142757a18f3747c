"""What an error of the database is told as."""

from types import TracebackType

import asyncpg
import pytest

from app import problems
from app.errors import Unavailable


class Rollback:
    """What leaves a transaction whose connection broke."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        raise asyncpg.InterfaceError("cannot rollback; the transaction is in error state")


def test_a_rollback_that_fails_is_told_as_what_broke_the_connection() -> None:
    with pytest.raises(asyncpg.InterfaceError) as caught, Rollback():
        raise asyncpg.AdminShutdownError("terminating connection due to administrator command")
    assert isinstance(problems.of_database(caught.value), Unavailable)


def test_a_rollback_that_fails_by_itself_is_a_bug() -> None:
    with pytest.raises(asyncpg.InterfaceError) as caught, Rollback():
        pass
    assert problems.of_database(caught.value) is None
