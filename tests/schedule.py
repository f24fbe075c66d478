"""Measures the two schedules against each other: `python tests/schedule.py`.

Eagerly, both models read every token of every variant, the simplest thing to do; on demand, a
model is run only where its opinion is needed. Both run in one process and in turn, over
the same engine. Nothing is asserted: it prints.
"""

import argparse
import statistics
from typing import Any

import baco_local
from baco_local.collaboration.events import Summary


def rate(pair: Any, eager_up_to: int, n: int, max_tokens: int, seed: int) -> float:
    pair.engine.eager = eager_up_to
    running = pair.session(baco_local.Request("A title for a novel about tides", n=n, max_tokens=max_tokens, seed=seed))
    summary = next(event for event in running.events() if isinstance(event, Summary))
    return float(summary.tokens / summary.seconds)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pair", default="starter")
    options.add_argument("--max-tokens", type=int, default=64)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with baco_local.open_pair(given.pair) as pair:
        print(f"eager up to {pair.engine.eager} variants with this pair and machine")
        for n in (1, 4, 8, 16, 32, 64):
            rate(pair, 0, n, 8, 0)  # makes the context
            pairs = [
                [rate(pair, up_to, n, given.max_tokens, seed) for up_to in (500, 0)] for seed in range(given.rounds)
            ]
            eager, on_demand = (statistics.median(rates) for rates in zip(*pairs, strict=True))
            ratio = statistics.median(one / two for one, two in pairs)
            print(f"{n:>3} variants: eager {eager:6.1f} tok/s, on demand {on_demand:6.1f}, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
