"""Pulling from a hub on the loopback that is killed, cut, slow, full, closed, wrong and changed meanwhile."""

import errno
import hashlib
import io
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.file_download as library
import pytest
from hub import BLOCK, NAME, REPO, Hub, Told, serving
from huggingface_hub import constants
from huggingface_hub.utils import close_session

from baco_local import paths
from baco_local.catalog import hub, pull, reading
from baco_local.catalog.entries import ModelFile, PairEntry, Source
from baco_local.cli import pull as command
from baco_local.errors import ModelProblem

CONTENT = os.urandom(300_000)
LARGE = os.urandom(40 * hub.CHUNK)
SMALL_ETAG = "ab" * 20  # of a file outside LFS: no sha256


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and none of the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("HF_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BACO_LOCAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "home"


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, known to the library in this process and to commands; and waits of milliseconds."""
    with serving() as one:
        one.put(CONTENT)
        monkeypatch.setenv("HF_ENDPOINT", one.url)
        monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "5")
        monkeypatch.setattr(constants, "ENDPOINT", one.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", one.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "no-token"))
        monkeypatch.setattr(hub, "CHUNK", 1000)
        monkeypatch.setattr(hub, "FIRST_WAITS", (0.01, 0.01))
        monkeypatch.setattr(hub, "LATER_WAITS", (0.01, 0.01))
        monkeypatch.setattr(library, "time", types.SimpleNamespace(sleep=lambda _: time.sleep(0.01), time=time.time))
        close_session()
        yield one


def entry(*names: str, revision: str = "main", **options: Any) -> PairEntry:
    sources = tuple(Source("hf", REPO, revision, name) for name in names or [NAME])
    about = {key: options.pop(key) for key in ("size", "sha256", "about", "pin") if key in options}
    file = ModelFile(sources, NAME, **about)
    return PairEntry("toy", "A toy", "MIT", file, None, options.pop("origin", Path("models.toml")), **options)


def pulled(**options: Any) -> Told:
    told = Told()
    pull.pull(entry(**options), told)
    return told


def refused(**options: Any) -> str:
    with pytest.raises(ModelProblem) as caught:
        pulled(**options)
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    assert caught.value.exit_code == 3
    return message


def part(content: bytes, etag: str) -> Path:
    """What an earlier pull of the toy has left in the staging folder."""
    file = entry().base
    folder = paths.made("data", "staging", file.path.parent.name)
    path = hub.part_of(file.sources[0], hub.Offer(etag, None, "", {}), folder)
    path.write_bytes(content)
    return path


def sum_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def leftovers(home: Path) -> list[Path]:
    return [path for path in (home / "data" / "staging").rglob("*") if path.is_file()]


def own_catalogue(home: Path, side: str = "") -> Path:
    path = home / "config" / "models.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f"# my pairs\n[pairs.toy]   # the toy\ntitle = 'A toy'\nlicence = 'MIT'\n"
        f"[pairs.toy.base]\nsource = 'hf:{REPO}/{NAME}'\n{side}[pairs.toy.aligned]\nsame = true  # one model\n"
    )
    return path


# What goes well


def test_repository_file_and_revision_are_exact_and_nothing_is_printed(server: Hub, home: Path, capfd: Any) -> None:
    server.put(CONTENT[:5000], "deep/it is.gguf", "refs%2Fpr%2F1")
    server.files[f"/{REPO}/resolve/refs%2Fpr%2F1/deep/it%20is.gguf"] = CONTENT[:5000]
    server.etags[f"/{REPO}/resolve/refs%2Fpr%2F1/deep/it%20is.gguf"] = sum_of(CONTENT[:5000])
    told = Told()
    pair = entry("deep/it is.gguf", revision="refs/pr/1")
    pull.pull(pair, told)
    assert pair.base.path.read_bytes() == CONTENT[:5000]
    assert {path for _, path, _ in server.seen} == {f"/{REPO}/resolve/refs%2Fpr%2F1/deep/it%20is.gguf"}
    assert told.totals == [5000, 5000]  # fetched, then its checksum
    assert max(told.done) == 5000
    assert "checksum verified" in told.lines[-1]
    assert not leftovers(home)
    assert capfd.readouterr() == ("", "")


def test_a_file_of_no_announced_size_has_the_rough_one_for_its_total(server: Hub) -> None:
    server.silent = True
    told = pulled(about=250_000)
    assert told.totals[0] == 250_000
    assert max(told.done) == len(CONTENT)
    assert entry().base.path.read_bytes() == CONTENT


def test_several_files_are_joined_and_not_pinned(server: Hub) -> None:
    server.put(b"head", "a")
    server.put(b"tail", "b")
    pair = entry("a", "b")
    pull.pull(pair, Told())
    assert pair.base.path.read_bytes() == b"headtail"
    assert not reading.user_file().exists()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_redirects_are_followed_and_the_token_stays_at_the_hub(
    server: Hub, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving() as other:
        store = other if elsewhere else server
        store.files["/store"], store.etags["/store"] = CONTENT, sum_of(CONTENT)
        server.location = other.url + "/store" if elsewhere else None
        if not elsewhere:
            server.answers = [("HEAD", 307, {"Location": "/store"})]
        pulled()
        assert entry().base.path.read_bytes() == CONTENT
        assert all(headers.get("authorization") == "Bearer hf_secret" for _, _, headers in server.seen)
        assert [path for method, path, _ in store.seen if method == "GET"] == ["/store"]
        assert not any("authorization" in headers for _, _, headers in other.seen)


# Interrupted, and resumed


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_pull_goes_on_where_it_was(server: Hub, home: Path, baco: Any, number: int) -> None:
    server.put(LARGE)
    own_catalogue(home)
    server.pause = 0.02
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "baco_local", "pull", "toy"], stderr=subprocess.PIPE, start_new_session=True
    )
    until = time.monotonic() + 20
    while sum(path.stat().st_size for path in leftovers(home)) < 3 * hub.CHUNK:
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(child.pid, number)
    asked = time.monotonic()
    _, said = child.communicate(timeout=20)
    assert time.monotonic() - asked < 5
    assert child.returncode == (130 if number == signal.SIGINT else -9)
    assert not list((home / "data" / "models").rglob("*.gguf"))
    if number == signal.SIGINT:
        assert said.decode().splitlines()[-1] == "baco-local: interrupted"
    [left] = leftovers(home)
    here = left.stat().st_size
    assert 3 * hub.CHUNK <= here < len(LARGE)
    server.pause, server.sent = 0.0, []
    done = baco("pull", "toy")
    assert done.returncode == 0, done.stderr
    assert server.gets()[-1]["range"] == f"bytes={here}-"
    assert server.sent == [len(LARGE) - here]
    assert entry().base.path.read_bytes() == LARGE


@pytest.mark.parametrize("hard", [False, True])
def test_cut_connections_are_taken_up_again(server: Hub, hard: bool) -> None:
    server.cuts, server.hard = [50_000, 20_000, 70_000], hard
    told = pulled()
    assert entry().base.path.read_bytes() == CONTENT
    assert server.sent == [50_000, 20_000, 70_000, 160_000]
    # a reset is nothing that the library itself goes on after
    assert len(server.seen) - len(server.gets()) == (4 if hard else 1)
    assert max(told.done) == len(CONTENT)


def test_a_lost_network_keeps_what_has_come(server: Hub) -> None:
    server.cuts = [50_000]
    server.after_cut = lambda: setattr(server, "down", True)
    assert re.search(r"can't be reached, or was lost .*\n.*goes on where it was", refused())
    server.down = False
    told = pulled()
    assert server.sent == [50_000, 250_000]
    assert told.done[0] == 50_000  # what is here counts from the start
    assert entry().base.path.read_bytes() == CONTENT


def test_an_address_that_expired_on_the_way_is_asked_for_again(server: Hub) -> None:
    with serving() as store:
        store.files["/store"], store.etags["/store"] = CONTENT, sum_of(CONTENT)
        server.location = store.url + "/store?until=now"
        store.etags["/store?until=now"] = sum_of(CONTENT)
        store.cuts = [50_000]
        first = store.answer

        def expiring(request: Any) -> None:
            if store.sent and request.path.endswith("now"):
                server.location = store.url + "/store"
                store.always = ("GET", 403, {})
            first(request)
            store.always = None

        store.answer = expiring  # type: ignore[method-assign]
        pulled()
        assert store.sent == [50_000, 250_000]
    assert entry().base.path.read_bytes() == CONTENT


def test_a_hub_without_ranges_sends_it_all_again(server: Hub) -> None:
    part(b"x" * 50_000, sum_of(CONTENT))
    server.ranges = False
    told = pulled()
    assert server.gets()[0]["range"] == "bytes=50000-"
    assert server.sent == [len(CONTENT)]
    assert entry().base.path.read_bytes() == CONTENT
    assert max(told.done) == len(CONTENT)


def test_a_complete_part_is_not_fetched_again(server: Hub) -> None:
    part(CONTENT, sum_of(CONTENT))
    pulled()
    assert not server.gets()
    assert entry().base.path.read_bytes() == CONTENT


@pytest.mark.parametrize("silent", [False, True])
def test_a_part_that_is_too_long_is_begun_again(server: Hub, silent: bool) -> None:
    part(CONTENT + b"more", sum_of(CONTENT))
    server.silent = silent  # then only the refused range tells
    pulled()
    assert server.sent == [len(CONTENT)]
    assert entry().base.path.read_bytes() == CONTENT


def test_a_changed_file_is_not_glued_to_an_old_part(server: Hub, home: Path) -> None:
    old = part(b"old" * 20_000, sum_of(b"old"))
    server.cuts, server.after_cut = [50_000], lambda: setattr(server, "down", True)
    refused()
    assert "range" not in server.gets()[0]
    assert not old.exists()
    server.down = False
    pulled()
    assert entry().base.path.read_bytes() == CONTENT


def test_a_file_that_changes_during_the_download_is_not_mixed(server: Hub) -> None:
    server.cuts, server.hard = [50_000], True
    server.after_cut = lambda: server.put(CONTENT[::-1])
    assert "changed at the hub during the download; pull again" in refused()
    pulled()
    assert entry().base.path.read_bytes() == CONTENT[::-1]


# Wrong


@pytest.mark.parametrize("difference", [-1000, 1000])
def test_another_size_than_announced_is_thrown_away(server: Hub, home: Path, difference: int) -> None:
    server.announced = len(CONTENT) + difference
    assert re.search(
        rf"sent {len(CONTENT)} bytes instead of the {server.announced} .* thrown away\npull again", refused()
    )
    assert all(path.stat().st_size == 0 for path in leftovers(home))
    assert not entry().base.path.exists()


def test_another_checksum_than_the_hub_says_is_thrown_away(server: Hub, home: Path) -> None:
    server.put(CONTENT, etag="0" * 64)
    assert re.search(r"checksum \w+… instead of 000000000000…, so it was thrown away", refused())
    assert not leftovers(home)
    assert not reading.user_file().exists()


def test_another_checksum_than_the_catalogue_says_is_thrown_away(server: Hub, home: Path) -> None:
    server.put(CONTENT, etag=SMALL_ETAG)
    assert re.search(r"checksum \w+… instead of 111111111111…, so it was thrown away", refused(sha256="1" * 64))
    assert not leftovers(home)


@pytest.mark.parametrize(
    ("options", "says"), [({"sha256": "1" * 64}, "another checksum"), ({"size": 7}, "300000 bytes instead of 7")]
)
def test_what_the_hub_announces_wrong_is_not_even_fetched(server: Hub, options: dict[str, Any], says: str) -> None:
    assert re.search(
        rf"{says} there, so nothing was fetched\n.*\[pairs.toy\] in models.toml is wrong", refused(**options)
    )
    assert not server.gets()


ACCOUNT = "log in with `hf auth login`"


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (401, "", rf"no such repository, or .* see PAGE\n{ACCOUNT}"),
        (401, "RepoNotFound", rf"no such repository, or .* see PAGE\n{ACCOUNT}"),
        (401, "GatedRepo", r"licence must be accepted first, at PAGE\n.*`hf auth login`"),
        (403, "GatedRepo", r"licence must be accepted first, at PAGE\n.*`hf auth login`"),
        (403, "", rf"refuses access; see PAGE\n{ACCOUNT}"),
        (404, "RepoNotFound", f"no repository {REPO}, or .*correct the entry"),
        (404, "RevisionNotFound", f"no revision main of {REPO}; correct the entry"),
        (404, "EntryNotFound", "no such file at revision main; correct the entry"),
        (404, "", "no such file at revision main; correct the entry"),
        (429, "", r"limit is reached\nwait a few minutes, then pull again"),
        (500, "", r"in trouble \(it answers 500\)\nwait a few minutes"),
        (503, "", r"in trouble \(it answers 503\)\nwait a few minutes"),
        (418, "", r"did not deliver it: .*418"),
    ],
)
def test_refusals(server: Hub, status: int, code: str, says: str) -> None:
    server.always = ("ANY", status, {"X-Error-Code": code} if code else {})
    message = refused()
    assert message.startswith(f"{REPO}/{NAME}: ")
    assert re.search(says.replace("PAGE", re.escape(f"{server.url}/{REPO}")), message), message
    assert len(server.seen) == (3 if status in (429, 500, 503) else 1)


@pytest.mark.parametrize("header", [{"Retry-After": "300"}, {"RateLimit": '"resolvers";r=0;t=300'}])
def test_a_hub_that_asks_for_long_waits_is_quoted_at_once(server: Hub, header: dict[str, str]) -> None:
    server.always = ("HEAD", 429, header)
    assert "wait 300 s, then pull again" in refused()
    assert len(server.seen) == 1


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("status", [500, 503])
def test_a_trouble_that_passes_is_waited_for(server: Hub, method: str, status: int) -> None:
    server.answers = [(method, status, {}), (method, status, {})]
    pulled()
    assert entry().base.path.read_bytes() == CONTENT


def test_a_download_that_stands_still_is_given_up(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library itself would wait for the hour that is asked for."""
    monkeypatch.setattr(library, "time", time)
    monkeypatch.setattr(hub, "PATIENCE", 0.5)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    server.always = ("GET", 429, {"Retry-After": "3600"})
    assert re.search(r"nothing has arrived for .*the hub has you wait\npull again", refused())


def test_silence_in_the_middle_keeps_what_has_come(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    monkeypatch.setattr(hub, "PATIENCE", 1.0)
    server.stuck = 4 * BLOCK
    assert re.search(r"was lost|nothing has arrived", refused())
    server.stuck = None
    pulled()
    assert server.gets()[-1]["range"] == f"bytes={4 * BLOCK // hub.CHUNK * hub.CHUNK}-"
    assert entry().base.path.read_bytes() == CONTENT


def test_nobody_answers(server: Hub) -> None:
    server.server.shutdown()
    server.server.server_close()
    assert re.search(r"can't be reached.*\ncheck the network and HF_ENDPOINT, then pull again", refused())


def test_something_else_than_a_hub_answers(server: Hub) -> None:
    server.always = ("HEAD", 200, {"Content-Type": "text/html"})
    assert "what answers is not a hub" in refused()


# The disk


class Full(io.FileIO):
    """A disk with room for 100,000 bytes."""

    def write(self, data: Any) -> int:
        room = 100_000 - os.fstat(self.fileno()).st_size
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(bytes(data)[:room])


def test_a_disk_that_fills_up_keeps_what_has_come(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def full(self: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
        return io.BufferedWriter(Full(self, "ab")) if mode == "ab" else opened(self, mode, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        server.put(CONTENT * 10)
        message = refused()
    assert re.search(r"disk is full: pulling needs 3 MB in .*\n.*already is kept", message)
    pulled()
    assert server.gets()[-1]["range"] == "bytes=100000-"
    assert entry().base.path.read_bytes() == CONTENT * 10


def test_a_file_larger_than_allowed_ends_in_one_line(server: Hub, home: Path, baco: Any) -> None:
    server.put(LARGE)
    own_catalogue(home)
    limit = 1 << 20
    done = baco("pull", "toy", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == 3
    assert re.search(r"^baco-local: .*: File too large$", done.stderr.decode(), re.MULTILINE)
    assert "Traceback" not in done.stderr.decode()
    [left] = leftovers(home)
    assert left.stat().st_size == limit


@pytest.mark.parametrize(("more", "fits"), [(-1, False), (0, True)])
def test_room_for_one_copy_is_enough(server: Hub, monkeypatch: pytest.MonkeyPatch, more: int, fits: bool) -> None:
    """What is here already needs no room a second time."""
    part(CONTENT[:100_000], sum_of(CONTENT))
    free = 200_000 + pull.SPARE + more
    monkeypatch.setattr(pull.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 40, 0, free))
    if fits:
        pulled()
        assert entry().base.path.read_bytes() == CONTENT
    else:
        assert "the disk is full: pulling needs 0 MB" in refused()
        assert not server.gets()


# Settings of the environment


def test_offline(server: Hub, home: Path, baco: Any) -> None:
    own_catalogue(home)
    done = baco("pull", "toy", env={"HF_HUB_OFFLINE": "1"})
    assert done.returncode == 3
    assert "HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set, so nothing is fetched" in done.stderr.decode()
    assert not server.seen


def test_the_token_goes_to_the_hub_and_the_library_is_silent(server: Hub, home: Path, baco: Any) -> None:
    """Its debug messages are asked for, and it has something to warn of."""
    own_catalogue(home)
    server.answers = [("HEAD", 503, {"X-HF-Warning": "topic; a warning"})]
    loud = {"HF_DEBUG": "1", "HF_HUB_VERBOSITY": "debugg", "HF_HUB_DISABLE_PROGRESS_BARS": "0"}
    done = baco("pull", "toy", env={"HF_TOKEN": "hf_secret", "HF_HUB_ENABLE_HF_TRANSFER": "1", **loud})
    assert done.returncode == 0
    assert done.stdout == b""
    assert done.stderr.decode().splitlines() == [
        "toy: A toy",
        "licence: MIT",
        f"base: {entry().base.path} (0 MB, checksum verified)",
        'toy is ready; try: baco-local ideas --pair toy "A title for a novel about tides"',
    ]
    assert [headers["authorization"] for _, _, headers in server.seen] == ["Bearer hf_secret"] * 3


def test_without_a_token_none_is_sent(server: Hub) -> None:
    pulled()
    assert server.seen
    assert not any("authorization" in headers for _, _, headers in server.seen)


# Pins


@pytest.mark.parametrize("etag", ["", SMALL_ETAG])
def test_a_first_pull_is_pinned_and_a_changed_file_refused(server: Hub, home: Path, baco: Any, etag: str) -> None:
    path = own_catalogue(home)
    before = path.read_text()
    server.put(CONTENT, etag=etag)
    pull.pull(reading.read_catalog().pair("toy"), Told())
    after = path.read_text()
    assert re.fullmatch(
        re.escape(f'{before}\n[pins."hf:{REPO}/{NAME}@main"]\nsize = 300000\nsha256 = "{sum_of(CONTENT)}"\npulled = ')
        + r"\d{4}-\d\d-\d\d\n",
        after,
    )
    told = Told()
    pull.pull(reading.read_catalog().pair("toy"), told)
    assert "is here and intact" in told.lines[-1]

    entry().base.path.unlink()
    server.put(CONTENT[::-1], etag=etag and SMALL_ETAG[::-1])
    done = baco("pull", "toy")
    assert done.returncode == 3
    assert re.search(
        rf"changed at its source since it was first pulled on \d{{4}}-\d\d-\d\d, .*\n.*remove \[pins\."
        rf'"hf:{REPO}/{NAME}@main"\] from {re.escape(str(path))}',
        done.stderr.decode(),
    )
    assert path.read_text() == after
    assert not entry().base.path.exists()
    assert not leftovers(home)

    path.write_text(before)
    pull.pull(reading.read_catalog().pair("toy"), Told())
    assert entry().base.path.read_bytes() == CONTENT[::-1]


def test_another_size_than_pinned_is_refused(server: Hub, home: Path) -> None:
    own_catalogue(home)
    pull.pull(reading.read_catalog().pair("toy"), Told())
    entry().base.path.unlink()
    server.put(CONTENT + b"more", etag=SMALL_ETAG)
    gets = len(server.gets())
    with pytest.raises(ModelProblem, match="changed at its source since it was first pulled on"):
        pull.pull(reading.read_catalog().pair("toy"), Told())
    assert len(server.gets()) == gets


def test_a_checksum_of_the_entry_needs_no_pin(server: Hub) -> None:
    pulled(sha256=sum_of(CONTENT))
    assert not reading.user_file().exists()


def test_a_catalogue_that_cannot_be_written_stops_nobody(server: Hub, home: Path) -> None:
    home.mkdir()
    (home / "config").write_text("not a folder")
    told = pulled()
    assert entry().base.path.read_bytes() == CONTENT
    assert "models.toml: can't be written (" in told.lines[-1]
    assert "later change of model.gguf will go unseen" in told.lines[-1]


def test_pins_in_a_form_that_cannot_be_added_to_are_left(server: Hub, home: Path) -> None:
    path = own_catalogue(home)
    path.write_text("pins = {}\n" + path.read_text())
    before = path.read_text()
    told = Told()
    pull.pull(reading.read_catalog().pair("toy"), told)
    assert "can't be changed" in told.lines[-1]
    assert path.read_text() == before


def test_a_link_to_the_catalogue_stays_one(server: Hub, home: Path) -> None:
    path = own_catalogue(home)
    path.rename(home / "kept.toml")
    path.symlink_to(home / "kept.toml")
    pull.pull(reading.read_catalog().pair("toy"), Told())
    assert path.is_symlink()
    assert reading.read_catalog().pair("toy").base.pin is not None


# What is said beforehand


def test_untried_and_gated_pairs_say_so_before_the_download(server: Hub) -> None:
    told = pulled(origin=reading.shipped_file(), gated=True, whom="The curious")
    assert told.lines[:5] == [
        "toy: A toy",
        "for: The curious",
        "licence: MIT",
        "its names come from public sources and were not tried by the authors: one may be wrong",
        f"its licence must be accepted by you first, logged in, at {server.url}/{REPO}",
    ]
    again = pulled(origin=reading.shipped_file(), gated=True)
    assert len(again.lines) == 3  # it is here: there is nothing to warn of


def test_the_users_own_pairs_carry_no_such_warning(server: Hub) -> None:
    assert not any("tried" in line or "accepted" in line for line in pulled().lines)


def test_the_time_left_counts_what_came_now(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    now = 0.0
    monkeypatch.setattr(command.time, "monotonic", lambda: now)
    lines = command.Lines()
    lines.begin("base: model.gguf", 1_000_000_000)
    lines.at(900_000_000)
    now = 10.0
    lines.at(950_000_000)
    assert capsys.readouterr().err == "base: model.gguf: 950 of 1,000 MB, 10 s left\n"
