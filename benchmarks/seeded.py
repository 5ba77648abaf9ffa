"""The seed of a benchmark: its `--seed`, which the processes that it starts find in their environment."""

import argparse
import os

VARIABLE, DEFAULT = "BENCH_SEED", 7


def parse_seeded(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Add `--seed` to a benchmark's options, parse them, and note the seed."""
    parser.add_argument("--seed", type=int, default=seed(), help="another seed, another market; default %(default)s")
    asked = parser.parse_args()
    os.environ[VARIABLE] = str(asked.seed)
    return asked


def seed() -> int:
    """Return the seed of this run."""
    return int(os.environ.get(VARIABLE, DEFAULT))
