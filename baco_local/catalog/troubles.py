"""What can go wrong at the hub: which errors pass by themselves, and what to say of the others.

Errors are told apart by the names of their classes: the library has changed the HTTP client under it
more than once, and an import of it that fails (a setting it can't read) must still end in one line.
"""

import re

from baco_local.catalog.entries import Source
from baco_local.errors import ModelProblem
from baco_local.text import one_line

LONGEST_WAIT = 30  # seconds; a hub that asks for more is not waited for
AGAIN = "pull again: it goes on where it was"


class Stalled(Exception):
    """Nothing has arrived for too long."""


def kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def status_of(error: BaseException) -> int:
    """The HTTP status that it is about; 0 for another error."""
    return getattr(getattr(error, "response", None), "status_code", 0)


def passing(error: BaseException) -> bool:
    """May it be gone in a few seconds? A hub out of reach is none of these: that is said at once."""
    cut = kinds(error) & {"TimeoutException", "NetworkError", "RemoteProtocolError"}
    unreachable = kinds(error) & {"ConnectError", "ConnectTimeout"}
    return bool(cut and not unreachable) or status_of(error) in (408, 429) or status_of(error) >= 500


def asked_to_wait(error: BaseException) -> int:
    """Seconds that a busy hub asks for, by either of the two headers in use; 0 where it doesn't say."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    if status_of(error) == 429 and (
        found := re.search(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", headers.get("ratelimit", ""))
    ):
        return int(found[1])
    after = headers.get("retry-after", "").strip()
    return int(after) if after.isdecimal() else 0


def pause(source: Source, error: Exception, planned: float) -> float:
    """Seconds to wait before the next try. Raises ModelProblem where the hub asks for too many."""
    asked = asked_to_wait(error)
    if asked > LONGEST_WAIT:
        raise complaint(source, error) from None
    return max(planned, float(asked))


def endpoint() -> str:
    try:
        from huggingface_hub import constants
    except ValueError as error:  # of a setting in the environment
        raise ModelProblem(
            f"a setting of the hub's library is wrong: {one_line(str(error))}\ncorrect the HF_… variables"
        ) from None
    return str(constants.ENDPOINT)


def page(source: Source) -> str:
    """Where people see the repository."""
    return f"{endpoint()}/{source.place}"


def complaint(source: Source, error: BaseException) -> ModelProblem:
    """One or two lines: what, which file, what to do next."""
    return ModelProblem(f"{source.place}/{source.member}: {reason(source, error)}")


def reason(source: Source, error: BaseException) -> str:
    names, status, name = kinds(error), status_of(error), source.place
    wrong = "correct the entry in models.toml"
    if "OfflineModeIsEnabled" in names:
        return "HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set, so nothing is fetched\nunset it, then pull again"
    if "DisabledRepoError" in names:
        return f"the hub has disabled this repository; see {page(source)}"
    if "GatedRepoError" in names:
        return (
            f"its licence must be accepted first, at {page(source)}\nthen log in with `hf auth login`, and pull again"
        )
    if status == 401 or (status == 403 and "RepositoryNotFoundError" in names):
        return (
            f"the hub has no such repository, or shows it to accounts with access only; see {page(source)}\n"
            "log in with `hf auth login` (or set HF_TOKEN), then pull again"
        )
    if status == 403:
        return (
            f"the hub refuses access; see {page(source)}\n"
            "log in with `hf auth login`, with a token that may read this repository, then pull again"
        )
    if "RepositoryNotFoundError" in names:
        return f"the hub has no repository {name}, or shows it only after `hf auth login`; otherwise {wrong}"
    if "RevisionNotFoundError" in names:
        return f"the hub has no revision {source.version} of {name}; {wrong}"
    if "EntryNotFoundError" in names or status == 404:
        return f"the hub has no such file at revision {source.version}; {wrong}"
    if status == 429:
        seconds = asked_to_wait(error)
        wait = f"wait {seconds} s" if seconds else "wait a few minutes"
        return f"the hub limits how much one may ask of it, and the limit is reached\n{wait}, then {AGAIN}"
    if status >= 500:
        return f"the hub is in trouble (it answers {status})\nwait a few minutes, then {AGAIN}"
    if "Stalled" in names:
        return f"{error}: the network is down, or the hub has you wait\n{AGAIN}, perhaps in a few minutes"
    if "FileMetadataError" in names:
        return "what answers is not a hub\ncheck HF_ENDPOINT and the network (a login page?), then pull again"
    if names & {"NetworkError", "TimeoutException", "RemoteProtocolError", "ProxyError"}:
        why = one_line(str(error)) or type(error).__name__
        return f"the hub can't be reached, or was lost ({why})\ncheck the network and HF_ENDPOINT, then {AGAIN}"
    return f"the hub did not deliver it: {one_line(str(error))}\ncheck the network and the HF_… settings, then {AGAIN}"
