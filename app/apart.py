"""`await apart(compute)`: what may take long is computed in a thread, while the event loop answers
others. For pure functions: terms to compile, customers to decide.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

Result = TypeVar("Result")

_AT_ONCE: Final = 4
"""They share one interpreter; with more, a long one would only make the others longer."""
_THREADS: Final = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="apart")
"""Apart from those of files, which must not wait for anybody's terms."""


async def apart(compute: Callable[[], Result]) -> Result:
    """What a call gives or raises."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, compute)
