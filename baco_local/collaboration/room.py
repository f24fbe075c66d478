"""How many tokens a request makes a side hold: what its cache is made for, and what the estimate beforehand counts."""

from dataclasses import dataclass

from baco_local.collaboration.settings import Request


@dataclass(frozen=True, slots=True)
class Room:
    """sequences: the prompt's and one for each variant written at once. budget: tokens that one variant may add
    to a text of `length`; cells: tokens that all together may add. Tokens in all: length + cells."""

    sequences: int
    budget: int
    cells: int


def room_for(request: Request, length: int, n_ctx: int, same_vocabulary: bool) -> Room:
    """length: tokens of the prompt and of what every variant begins with; n_ctx: tokens that the model's sequences hold."""
    # The other side may need more tokens for the same text than the speaker did; seldom all at once.
    most = request.max_tokens + 1 if same_vocabulary else 2 * request.max_tokens + 16
    share = most if same_vocabulary else 3 * request.max_tokens // 2 + 16
    budget = min(most, n_ctx - length)
    return Room(request.window + 1, budget, max(budget, request.window * min(share, budget)))
