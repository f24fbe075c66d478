"""Will it fit? A pair's memory for a request, told before anything is loaded, and what to change where it won't."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from baco_local.catalog.entries import PairEntry, Shape
from baco_local.catalog.examine import Examined
from baco_local.collaboration.room import room_for
from baco_local.collaboration.settings import MAX_SLOTS, Request
from baco_local.errors import RoomProblem
from baco_local.runtime import footprint, llama, machine
from baco_local.runtime.footprint import Footprint
from baco_local.text import gigabytes

BLOCK = 32  # numbers that q8_0 packs together: a head must be a multiple of it
FEW, SHORT = (8, 4, 2, 1), 16  # ideas at once, and tokens of one, that are still worth proposing
TEMPLATE = 48  # tokens that a chat template and the instructions around a prompt have, about
LETTERS = 3  # bytes of a prompt for one token, on the careful side for most languages
ALL_LAYERS = 99  # what people write for "all"
LARGEST = 1 << 17  # tokens of context where a model doesn't say


@dataclass(frozen=True, slots=True)
class Needs:
    """A pair's sides as far as memory goes. models: of every model whose weights are loaded; shapes and contexts
    (tokens that a sequence holds) of both sides."""

    models: tuple[Footprint, ...]
    shapes: tuple[Shape, Shape]
    contexts: tuple[int, int]
    shared: bool

    def of(self, request: Request, cache_type: str = "f16", threads: int | None = None) -> Footprint:
        """Bytes for writing `request`, weights and both caches together."""
        whole = sum(self.models, Footprint())
        length = prompt_length(request)
        for shape, context in zip(self.shapes, self.contexts, strict=True):
            room = room_for(request, min(length, context - 1), context, self.shared)
            whole += footprint.of_context(
                shape, room.sequences, length + room.cells, cache_type, threads or machine.cores()
            )
        return whole


def needs_of(examined: Examined) -> Needs | None:
    """From the files; None where a header doesn't say enough."""
    shapes = examined.base.shape, examined.aligned.shape
    if not shapes[0] or not shapes[1]:
        return None
    loaded = [footprint.of_model(facts.size, facts.reordered, facts.entries) for facts in examined.models]
    if examined.lora:
        loaded.append(Footprint(weights=examined.lora.size))
    contexts = examined.base.n_ctx_train or LARGEST, examined.aligned.n_ctx_train or LARGEST
    return Needs(tuple(loaded), (shapes[0], shapes[1]), contexts, examined.shared)


def needs_by_catalogue(entry: PairEntry) -> Needs | None:
    """For files that are not here yet, from what the entry says; None where it doesn't."""
    sizes = {side: file.exact_size or file.about or 0 for side, file in entry.files.items()}
    if not entry.shapes or not all(sizes.values()):
        return None
    shapes = dict(zip(("base", "aligned"), entry.shapes, strict=True))
    loaded = tuple(
        footprint.of_model(size, 0, 2 * shapes[side].vocabulary if side in shapes else 0)  # twice: with the merges
        for side, size in sizes.items()
    )
    return Needs(loaded, entry.shapes, (LARGEST, LARGEST), bool(entry.shared))


def prompt_length(request: Request) -> int:
    """Tokens, about: nothing is there to count them with yet."""
    letters = len(request.prompt.encode()) + len(request.system.encode())
    return TEMPLATE + letters // LETTERS + len(request.kept)


def available(gpu_layers: int | None) -> int | None:
    """Bytes that are free where the pair would be loaded: on the GPUs, if all layers go there, else in memory."""
    if (gpu_layers is None or gpu_layers >= ALL_LAYERS) and llama.offloads():
        gpus = [device.free for device in llama.devices() if device.kind == "gpu"]
        if gpus:
            return sum(gpus)
    memory = machine.memory()
    return memory[1] if memory else None


def check(
    name: str,
    needs: Needs | None,
    request: Request,
    *,
    cache_type: str = "f16",
    gpu_layers: int | None = None,
    threads: int | None = None,
    held: int = 0,
) -> None:
    """Raises RoomProblem, naming what would fit, where the pair doesn't.

    held: bytes that what `needs` counts occupies already; of a pair that is open, `needs` counts no models.
    """
    free = available(gpu_layers)
    if needs is None or free is None:
        return
    if request.max_tokens >= min(needs.contexts):
        raise RoomProblem(
            f"{name}: ideas of up to {request.max_tokens} tokens are asked for, but a model of it holds {min(needs.contexts)}\n"
            "lower --max-tokens"
        )
    program = footprint.PROGRAM if needs.models else 0
    room = free + held - program
    wanted = needs.of(request, cache_type, threads).needed
    if wanted <= room:
        return
    size = f"{request.window} idea{'s' * (request.window != 1)} of up to {request.max_tokens} tokens at once"
    models = sum(one.needed for one in needs.models)
    if options := list(ways_out(needs, request, cache_type, room, threads)):
        advice = f"it fits with {' or '.join(options)}"
    elif models > room:
        advice = f"its models alone need {gigabytes(models)}; choose a smaller pair (baco-local models)"
    else:
        advice = "choose a smaller pair (baco-local models)"
    more = "" if needs.models else "more "
    raise RoomProblem(
        f"{name} needs {gigabytes(wanted + program)} {more}of memory for {size}, and {gigabytes(free + held)} are free\n"
        f"{advice}; --force tries it anyway"
    )


def ways_out(needs: Needs, request: Request, cache_type: str, room: int, threads: int | None) -> Iterator[str]:
    """Each single setting that makes it fit, with its largest value that does; else two that do together."""
    slots = tokens = 0
    whole_blocks = all(shape.head % BLOCK == 0 for shape in needs.shapes)
    if cache_type != "q8_0" and whole_blocks and needs.of(request, "q8_0", threads).needed <= room:
        yield "--cache-type q8_0"
    if slots := largest_slots(needs, request, cache_type, room, threads):
        yield f"--slots {slots}"
    if tokens := largest_tokens(needs, request, cache_type, room, threads):
        yield f"--max-tokens {tokens}"
    if not slots and not tokens:
        for few in FEW:
            asked = replace(request, slots=min(few, request.window))
            tokens = largest_tokens(needs, asked, cache_type, room, threads)
            if tokens >= SHORT:
                yield f"--slots {asked.slots} --max-tokens {tokens}"
                return


def largest_slots(
    needs: Needs, request: Request, cache_type: str, room: int, threads: int | None = None, most: int = 0
) -> int:
    """Ideas at once that fit into `room` bytes; at most `most`, or what was asked for. 0 where not even one does."""

    def fits(slots: int) -> bool:
        asked = replace(request, n=max(request.n, slots), slots=slots)
        return needs.of(asked, cache_type, threads).needed <= room

    return largest(fits, most or request.window)


def largest_tokens(needs: Needs, request: Request, cache_type: str, room: int, threads: int | None = None) -> int:
    """The longest ideas that fit into `room` bytes; at most what was asked for. 0 where not even one token does."""
    return largest(
        lambda tokens: needs.of(replace(request, max_tokens=tokens), cache_type, threads).needed <= room,
        request.max_tokens,
    )


def largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` that fits, where every smaller one does too; 0 for none."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def most_at_once(needs: Needs, request: Request, room: int) -> int:
    """Ideas at once that fit, up to what a session takes."""
    return largest_slots(needs, request, "f16", room, most=MAX_SLOTS)
