"""How the drain gives way to the redirects, with whom it shares the event loop."""

import asyncio
from typing import Final

ROWS_A_TURN: Final = 128
"""Rows looked at before others get their turn: a third of a millisecond."""
_PAUSE_S: Final = 0.001


async def give_way() -> None:
    """Let requests and the journal's thread go on.

    Not `sleep(0)`: while there is always something to do the loop hardly lets go of the
    interpreter, and a thread that waits for it gets it after 5 ms (`sys.getswitchinterval`).
    """
    await asyncio.sleep(_PAUSE_S)
