"""wrk on one port for some seconds, with the requests of `bench.requests`, and what it printed."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 64
REDIRECTS = Path(__file__).with_name("redirects.lua")
WEBHOOKS = REDIRECTS.with_name("webhooks.lua")


@dataclass(frozen=True, slots=True)
class Round:
    """What one contender did in one turn.

    requests: all that were answered. requests_s: of them those that were not refused.
    """

    requests: int
    requests_s: float
    p50_ms: float
    p99_ms: float
    refused: int = 0
    """Answered with a status from 400 on."""


def installed() -> bool:
    return shutil.which("wrk") is not None


def load(
    port: int,
    folder: Path,
    *,
    seconds: int,
    seed: int,
    script: Path = REDIRECTS,
    refuses: bool = False,
) -> Round:
    """folder: with the requests. The same seed draws the same requests in the same order.

    refuses: whether some answers may be from 400 on; else that ends the benchmark.
    """
    # The time-out is only for what hangs: slow answers belong into the latencies.
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--timeout", "30s", "--latency"]
    address = f"http://127.0.0.1:{port}"
    done = subprocess.run(
        ["wrk", *options, "-s", str(script), address, "--", str(folder), str(seed)],
        check=False,
        capture_output=True,
        text=True,
    )
    found = None if done.returncode else round_of(done.stdout)
    if found is None or (found.refused and not refuses):
        raise SystemExit(f"the load failed on port {port}:\n{done.stdout}{done.stderr}")
    return found


def round_of(printed: str) -> Round | None:
    """What wrk printed; None if connections failed."""
    if "Socket errors" in printed:
        return None
    requests = int(_found(r"(\d+) requests in", printed))
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    count = int(refused[1]) if refused else 0
    return Round(
        requests,
        float(_found(r"Requests/sec:\s+([\d.]+)", printed)) * (requests - count) / (requests or 1),
        _milliseconds(_found(r"(?m)^ +50%\s+(\S+)", printed)),
        _milliseconds(_found(r"(?m)^ +99%\s+(\S+)", printed)),
        count,
    )


def _found(pattern: str, printed: str) -> str:
    match = re.search(pattern, printed)
    if match is None:
        raise SystemExit(f"wrk printed something else:\n{printed}")
    return match[1]


def _milliseconds(printed: str) -> float:
    """wrk's `870.00us`, `3.14ms` or `1.20s`."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", printed).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
