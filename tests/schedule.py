"""Measures the schedule against the simplest one: `python tests/schedule.py`.

The simplest evaluates every variant in both models for every token, so that no variant ever
waits; the engine's evaluates a model only where its opinion is needed. Both run in one process
and in turn, over the same engine. Nothing is asserted: it prints.
"""

import argparse
import statistics
from typing import Any

import baco_local
from baco_local.collaboration import session
from baco_local.collaboration.events import Summary
from baco_local.collaboration.loop import Loop, Turn
from baco_local.collaboration.variant import ALIGNED, BASE, Writing
from baco_local.native import addresses


class EveryToken(Loop):
    """Both models read every token of every variant, and every variant grows with every tick."""

    def served(self, who: int, tile: int) -> list[Writing]:
        return sorted(self.writing, key=lambda writing: writing.slot)

    def tick(self) -> None:
        while self.free and self.waiting:
            self.begin(self.free.pop(0), self.waiting.popleft())
        rows: dict[tuple[int, int], int] = {}
        for who in (BASE, ALIGNED):
            turn: Turn = self.turn(who)
            if turn.spans:
                turn.reader.side.submit(turn.spans)
                found = addresses(turn.reader.side.rows())
                rows |= {(who, w.index): row for w, row in zip(turn.batch, found, strict=True)}
            if turn.fresh and turn.reader.last is not None:
                rows |= {(who, w.index): addresses(turn.reader.last)[0] for w in turn.fresh}
        before = {w.index: len(w.tokens) for w in self.writing}
        while growing := [w for w in self.writing if len(w.tokens) == before[w.index]]:
            served = [(w.wants, w) for w in growing]
            found_all = self.drawing.draw(served, [rows[who, w.index] for who, w in served])
            for (who, w), found in zip(served, found_all, strict=True):
                (self.base_found if who == BASE else self.aligned_found)(w, found)


def rate(pair: Any, schedule: type[Loop], n: int, max_tokens: int, seed: int) -> float:
    session.Loop = schedule  # type: ignore[misc]
    try:
        running = pair.session(
            baco_local.Request("A title for a novel about tides", n=n, max_tokens=max_tokens, seed=seed)
        )
        summary = next(event for event in running.events() if isinstance(event, Summary))
    finally:
        session.Loop = Loop  # type: ignore[misc]
    return float(summary.tokens / summary.seconds)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--max-tokens", type=int, default=64)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with baco_local.open_pair() as pair:
        for n in (8, 16, 32):
            rate(pair, Loop, n, 8, 0)  # makes the context
            pairs = [
                [rate(pair, kind, n, given.max_tokens, seed) for kind in (Loop, EveryToken)]
                for seed in range(given.rounds)
            ]
            ours, simplest = (statistics.median(rates) for rates in zip(*pairs, strict=True))
            ratio = statistics.median(one / two for one, two in pairs)
            print(
                f"{n} variants: {ours:.1f} tok/s, every token in both models {simplest:.1f}; {ratio:.2f} times as fast"
            )


if __name__ == "__main__":
    main()
