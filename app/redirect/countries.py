"""The visitor's country: from a trusted proxy's header, else from a MaxMind database."""

import asyncio
import shutil
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import maxminddb
import structlog

from app.core.countries import COUNTRIES

_REMEMBERED: Final = 50_000
_LOOK_S: Final = 60.0
_DAMAGED: Final = (maxminddb.InvalidDatabaseError, TypeError)
"""What the reader raises for a damaged file, beside errors of values."""
_KNOWN: Final = {code.encode(): code.encode() for code in COUNTRIES}

log = structlog.get_logger()


class Countries:
    """`of(address, headers, told=…)` gives two letters, or none.

    header: lowercase name, or empty. database: a `.mmdb` with `country.iso_code`, as MaxMind and
    others publish them; read anew when the file is replaced.
    """

    def __init__(self, header: str, database: Path | None) -> None:
        self._header = header.lower().encode()
        self._path = database
        self._stamp: tuple[int, int] | None = None
        self._reader: maxminddb.Reader | None = None
        self._found: OrderedDict[bytes, bytes] = OrderedDict()
        self._take(self._opened())

    def of(self, address: bytes, headers: Mapping[bytes, bytes], *, told: bool) -> bytes:
        """told: whether a trusted proxy sent the headers. Unknown and unassigned codes: none."""
        if told and self._header:
            said = headers.get(self._header, b"")
            if country := _KNOWN.get(said) or _KNOWN.get(said.strip().upper()):
                return country
        return self._look(address) if address and self._reader is not None else b""

    async def keep(self) -> None:
        """Take up a new file; until canceled. One that can't be read leaves the old in use."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self._take(await asyncio.to_thread(self._opened))

    def _look(self, address: bytes) -> bytes:
        country = self._found.get(address)
        if country is None:
            country = self._found[address] = self._read(address)
            if len(self._found) > _REMEMBERED:
                self._found.popitem(last=False)
        return country

    def _read(self, address: bytes) -> bytes:
        assert self._reader is not None  # our caller has looked
        try:
            record = self._reader.get(ip_address(address))
        except ValueError:
            return b""  # an IPv6 address in a database of IPv4
        except _DAMAGED as error:
            self._tell(error)
            return b""
        country = record.get("country") if isinstance(record, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return _KNOWN.get(code.encode(), b"") if isinstance(code, str) else b""

    def _opened(self) -> maxminddb.Reader | None:
        """The file, if it is another than the one in use."""
        if self._path is None:
            return None
        try:
            status = self._path.stat()
            stamp = status.st_mtime_ns, status.st_ino
            if stamp == self._stamp:
                return None
            # A copy that nobody else can cut off: the database is mapped into memory, and reading
            # a page that its file has lost would end the process.
            with NamedTemporaryFile(suffix=".mmdb") as copy:
                shutil.copyfile(self._path, copy.name)
                # Not before: a disk that has no room for the copy may have it later.
                self._stamp = stamp
                return maxminddb.open_database(copy.name)
        except (OSError, ValueError, *_DAMAGED) as error:
            self._tell(error)
            return None

    def _tell(self, error: Exception) -> None:
        # A full disk can refuse the log line, which must cost neither a start nor a click.
        with suppress(OSError):
            log.error("countries.unreadable", path=str(self._path), error=repr(error))

    def _take(self, reader: maxminddb.Reader | None) -> None:
        if reader is not None:
            self._reader = reader
            self._found.clear()
            log.info("countries.opened", path=str(self._path))
