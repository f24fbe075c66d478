"""Models on the Hugging Face hub, fetched by its own library: its mirrors, tokens, proxies and time limits apply.

The library forgets a half download when its process ends. So it gets a file of ours to append to,
named after the etag: what came before a Ctrl-C, a crash or a lost network is not fetched again, and
a file that has changed meanwhile is never glued to the old part.
"""

import hashlib
import logging
import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from baco_local import __version__, paths
from baco_local.catalog.entries import Source
from baco_local.catalog.packages import INTERVAL
from baco_local.catalog.troubles import Stalled, complaint, kinds, passing, pause, status_of
from baco_local.errors import ModelProblem

# Seconds between two tries while the hub is busy or the line is cut: at first, and once bytes have come.
FIRST_WAITS = (1.0, 2.0, 4.0)
LATER_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
PATIENCE = 60.0  # seconds without a byte
CHUNK = 1 << 16  # bytes; of the library's 10 MiB a cut line would lose up to all, every time

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Offer:
    """What the hub says of a file. size in bytes, None if it doesn't say.

    location: where it lies, often on another host. headers: to send there, the token only where it may go.
    """

    etag: str
    size: int | None
    location: str
    headers: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """Of large files the etag is the checksum; "" for others."""
        return self.etag if re.fullmatch("[0-9a-f]{64}", self.etag) else ""


@dataclass(slots=True)
class Watch:
    """What the downloading thread and the waiting one tell each other. done: bytes of the file that are here."""

    done: int
    stopped: bool = False


def look_up(source: Source, waits: Sequence[float] | None = None) -> Offer:
    """Asks the hub. `waits`: seconds before each new try; without, few, and none for a hub out of reach."""
    remaining = iter(FIRST_WAITS if waits is None else waits)
    while True:
        try:
            return in_background(lambda: ask(source), lambda: None)
        except Exception as error:
            wait = next(remaining, None)
            if wait is None or not (passing(error) or (waits is not None and "ConnectError" in kinds(error))):
                raise complaint(source, error) from None
            time.sleep(pause(source, error, wait))


def fetch(source: Source, offer: Offer, folder: Path, arrived: Callable[[int], None]) -> Path:
    """The file, in `folder`; what is there of an earlier try is kept. `arrived` gets bytes so far.

    OSErrors of the disk come through. Whoever takes the file checks its checksum.
    """
    part = part_of(source, offer, folder)
    for other in part.parent.glob(f"{part.name.partition('-')[0]}-*"):
        if other != part:
            other.unlink()  # of a file that has changed since
    waits = iter(LATER_WAITS)
    while True:
        part.touch(0o600)
        before = part.stat().st_size
        try:
            append(source, offer, part, arrived)
            return part
        except Exception as error:
            if isinstance(error, ModelProblem) or (isinstance(error, OSError) and error.errno is not None):
                raise
            if status_of(error) == 416:  # no size was announced, and the part is not the beginning of this file
                part.write_bytes(b"")
            grown = part.stat().st_size > before
            waits = iter(LATER_WAITS) if grown else waits
            wait = next(waits, None)
            # a download that had begun may go on at a new address: those for large files are good for an hour or so
            again = grown or passing(error) or status_of(error) == 416 or "ConnectError" in kinds(error)
            if wait is None or not again or isinstance(error, Stalled):
                raise complaint(source, error) from None
            time.sleep(pause(source, error, wait))
        before_cut, offer = offer, look_up(source, LATER_WAITS)
        if offer.etag != before_cut.etag:
            raise ModelProblem(f"{source.place}/{source.member}: changed at the hub during the download; pull again")


def part_of(source: Source, offer: Offer, folder: Path) -> Path:
    parts = paths.private_folder(folder / "hub")
    etag = offer.etag
    if not re.fullmatch("[0-9A-Za-z]{1,64}", etag):
        etag = hashlib.sha256(etag.encode()).hexdigest()
    return parts / f"{hashlib.sha256(str(source).encode()).hexdigest()[:8]}-{etag}.part"


def ask(source: Source) -> Offer:
    quieten()
    from huggingface_hub.errors import FileMetadataError
    from huggingface_hub.file_download import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented, if not exported

    url = hf_hub_url(source.place, source.member, revision=source.version)
    headers = build_hf_headers(library_name="baco-local", library_version=__version__)
    found = get_hf_file_metadata(url, headers=headers)
    if found.etag is None or found.commit_hash is None:
        raise FileMetadataError("what answers is not a hub")
    if not trusted(url, found.location):
        headers.pop("authorization", None)
    # else the size that counts is not the one that is sent
    return Offer(found.etag, found.size, found.location, headers | {"Accept-Encoding": "identity"})


def trusted(url: str, location: str) -> bool:
    """May the token go to `location`? As the library decides it: to the same origin, and to the hub's own hosts."""
    from huggingface_hub import constants

    asked, found = urlsplit(url), urlsplit(location)
    if (asked.scheme, asked.hostname, asked.port) == (found.scheme, found.hostname, found.port):
        return True
    return found.scheme == "https" and found.port in (None, 443) and found.hostname in constants.HF_URL_HOSTS


def append(source: Source, offer: Offer, part: Path, arrived: Callable[[int], None]) -> None:
    """Brings what `part` misses. Raises ModelProblem for a wrong size, else what the library raises."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import http_get

    if offer.size is not None and part.stat().st_size > offer.size:
        part.write_bytes(b"")
    watch = Watch(part.stat().st_size)
    patience = max(PATIENCE, 2.0 * constants.HF_HUB_DOWNLOAD_TIMEOUT)
    last, since = watch.done, time.monotonic()

    def look() -> None:
        nonlocal last, since
        arrived(watch.done)
        if watch.done != last:
            last, since = watch.done, time.monotonic()
        elif time.monotonic() - since > patience:
            raise Stalled(f"nothing has arrived for {patience:.0f} s")

    with part.open("ab") as file:

        def download() -> None:
            http_get(
                offer.location,
                file,
                resume_size=watch.done,
                headers=dict(offer.headers),
                expected_size=offer.size,
                tqdm_class=meter(watch),
            )

        try:
            look()
            in_background(download, look)
        except OSError as error:
            if type(error) is not OSError or error.errno is not None:
                raise
            # the library's own complaint about the size is a bare OSError
            came = file.tell()
            file.truncate(0)
            raise ModelProblem(
                f"{source.place}/{source.member}: the hub sent {came} bytes instead of the {offer.size} that it "
                "announced, so they were thrown away\npull again; if that does not help, try again later"
            ) from None
        finally:
            watch.stopped = True
        file.flush()
        os.fsync(file.fileno())


def meter(watch: Watch) -> Any:
    """A class like tqdm's: counts for `watch`, and stops the download where that is wanted."""

    class Meter:
        def __init__(self, *_: object, initial: int = 0, **__: object) -> None:
            watch.done = initial

        def update(self, size: int) -> None:
            if watch.stopped:
                raise InterruptedError
            watch.done += size

        def __enter__(self) -> "Meter":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    return Meter


def in_background(work: Callable[[], Result], look: Callable[[], None]) -> Result:
    """Does it on another thread and looks now and then, so that Ctrl-C works whatever the network does."""
    results: list[Result] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            problems.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(INTERVAL)
        look()
    if problems:
        raise problems[0]
    return results[0]


def quieten() -> None:
    """What there is to say of a pull, this program says. And the library asks the hub for nothing but the file."""
    disabled = logging.root.manager.disable
    logging.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from huggingface_hub import constants, file_download
    finally:
        logging.disable(disabled)
    logging.getLogger(file_download.__name__.partition(".")[0]).setLevel(logging.CRITICAL + 1)
    constants.HF_HUB_DISABLE_TELEMETRY = True
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK
