"""How often the 95 % interval of `paired_bootstrap` holds the true mean, by simulation.

``python tools/interval_coverage.py results/digits --output results/coverage.json`` takes the
differences in per-query average precision between pairs of methods, as recorded, for the
distribution of new queries and of the rest, adds normal effects of seeds from none to three times
the queries' standard error, draws new experiments from it, and counts. The truth is then known. It
takes minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import HashbenchError, StoreError
from hashbench.core.files import write_atomically
from hashbench.judge.compare.bootstrap import LEVEL, paired_bootstrap
from hashbench.judge.compare.samples import read_samples
from hashbench.store.catalogue import read_all
from hashbench.store.store import Store

METRIC: Final = "map@all/div=hits/ties=expected/empty=zero"
PAIRS: Final = (
    ("mlp + hsc", "mlp + dtsh"),
    ("mlp + csq", "mlp + hashnet"),
    ("itq on pixels", "lsh on pixels"),
)
RATIOS: Final = (0.0, 0.5, 1.0, 3.0)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What experiments are drawn from.

    Attributes:
        pair: The two methods whose differences are the population of queries.
        seeds: Seeds an experiment.
        queries: Queries an experiment.
        ratio: Standard error from the seeds over that from the queries.
    """

    pair: tuple[str, str]
    seeds: int
    queries: int
    ratio: float


SCENARIOS: Final = (
    *(Scenario(pair, s, 200, r) for pair, s, r in product(PAIRS, (3, 5), RATIOS)),
    *(Scenario(PAIRS[0], 3, 1000, ratio) for ratio in RATIOS),
)


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Differences taken apart.

    Attributes:
        queries: float64 (queries,), each query's own part, with mean 0.
        rest: float64 (seeds, queries), what neither seed nor query explains.
    """

    queries: NDArray[np.float64]
    rest: NDArray[np.float64]

    @classmethod
    def of(cls, differences: NDArray[np.float64]) -> Population:
        """Take measured differences, float64 (seeds, queries), apart."""
        seeds = len(differences)
        means = differences.mean(axis=0)
        own = means - means.mean()
        rest = differences - means - differences.mean(axis=1, keepdims=True) + means.mean()
        # Taking means off shrank what is left.
        return cls(own, rest * np.sqrt(seeds / (seeds - 1)))

    def draw(self, scenario: Scenario, rng: np.random.Generator) -> NDArray[np.float64]:
        """One experiment, float64 (seeds, queries), whose true mean is 0."""
        shape = (scenario.seeds, scenario.queries)
        queries = rng.integers(0, len(self.queries), scenario.queries)
        rest = self.rest[rng.integers(0, len(self.rest), shape), queries]
        error = scenario.ratio * float(self.queries.std()) / np.sqrt(scenario.queries)
        by_seed = rng.normal(0.0, error * np.sqrt(scenario.seeds), (scenario.seeds, 1))
        return np.asarray(by_seed + self.queries[queries] + rest, dtype=np.float64)


def coverage(
    population: Population, scenario: Scenario, *, repeats: int, draws: int, seed: int
) -> float:
    """The share of experiments whose interval holds the true mean.

    Args:
        population: What is drawn from.
        scenario: How.
        repeats: Experiments.
        draws: Resamples behind each interval.
        seed: Of everything random.
    """
    rng = np.random.default_rng(seed)
    held = 0
    for repeat in range(repeats):
        effect = paired_bootstrap(population.draw(scenario, rng), seed=repeat, draws=draws)
        held += effect.low <= 0.0 <= effect.high
    return held / repeats


def populations(store: Path) -> dict[tuple[str, str], Population]:
    """The pairs' differences, from the records of a store.

    Raises:
        StoreError: If a method of a pair is not there.
    """
    opened = Store.open(store)
    samples = {s.method: s for s in read_samples(opened, read_all(opened), METRIC)}
    if missing := {name for pair in PAIRS for name in pair} - set(samples):
        raise StoreError(f"store: {store} has no {METRIC} of {', '.join(sorted(missing))}")
    return {(a, b): Population.of(samples[a].values - samples[b].values) for a, b in PAIRS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate every scenario, write what was found, and return an exit code."""
    parser = argparse.ArgumentParser(prog="python tools/interval_coverage.py")
    parser.add_argument("store", type=Path, help="records with the pairs' per-query values")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--repeats", type=int, default=3000, help="experiments a scenario")
    parser.add_argument("--draws", type=int, default=500, help="resamples behind an interval")
    given = parser.parse_args(arguments)
    try:
        found = list(_measure(given.store, repeats=given.repeats, draws=given.draws))
        document = {
            "what": "share of 95 % intervals of paired_bootstrap that hold the true mean",
            "metric": METRIC,
            "level": LEVEL,
            "repeats": given.repeats,
            "draws": given.draws,
            "scenarios": found,
        }
        write_atomically(given.output, json.dumps(document, indent=1).encode() + b"\n")
    except HashbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return 0


def _measure(store: Path, *, repeats: int, draws: int) -> Iterator[dict[str, Any]]:
    known = populations(store)
    for seed, scenario in enumerate(SCENARIOS):
        share = coverage(known[scenario.pair], scenario, repeats=repeats, draws=draws, seed=seed)
        print(f"{share:.4f}  {scenario}", flush=True)
        yield {**asdict(scenario), "seed": seed, "coverage": share}


if __name__ == "__main__":
    sys.exit(main())
