"""The verb `rank`: network files, or JSON lines of candidates, ranked for one dataset."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nngpt_perfclf.advice.inputs import read_candidate, read_network, read_outcomes, recipe_of
from nngpt_perfclf.advice.ranking import columns
from nngpt_perfclf.advice.ranking import rank as rank_candidates
from nngpt_perfclf.advice.seconds import warn_of_slow
from nngpt_perfclf.advice.structures import profiles_of
from nngpt_perfclf.config import Config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.types import Candidate, PerfclfError, Ranked

LINES = (".jsonl", ".ndjson")


def rank(config: Config, *files: str, target: str | None = None, outcomes: str | None = None) -> dict:
    """Rank the networks of `files` for the dataset `target` with `config.scorer`, best first.

    A file is a network's source, trained with the recipe of `recipe.*`, or JSON lines (.jsonl) with a candidate each:
    `name`, `arch_code` or `net` (a path relative to the file's folder), and a `recipe`, by default that of `recipe.*`.
    `outcomes`: a file of candidates that were trained on the target already, as JSON lines with `accuracy` or the run
    database of a loop. Returns target, adviser and rows with name, score, percentile, low, high, decided, status,
    reason, the built network's parameters and MACs (None: not built), and the seconds that an epoch is expected to
    take, on the machine of the outcomes where these were timed. Each candidate that is expected to exceed
    `advice.time_limit` is named on standard error. Raises PerfclfError for a missing target, an unknown dataset, and a
    file that cannot be read.
    """
    if target is None:
        raise PerfclfError("name the dataset, as in: rank net.py --target svhn")
    candidates = [candidate for file in files for candidate in candidates_of(Path(file), config)]
    for name, count in Counter(candidate.name for candidate in candidates).items():
        if count > 1:
            raise PerfclfError(f"{count} candidates are called {name!r}: names must differ")
    seen = read_outcomes(Path(outcomes), config.epoch, target).get(target, []) if outcomes else []
    rows = rank_candidates(candidates, target, config=config, outcomes=seen)
    sizes = _sizes([row.candidate for row in rows], target, config)
    warn_of_slow([(row.candidate, row.score.seconds) for row in rows if row.score], config.advice.time_limit,
                 "advice.time_limit")
    return {"target": target, "adviser": config.scorer,
            "rows": [{**columns(row), **_forecast(row), **size, "seconds": row.score and row.score.seconds}
                     for row, size in zip(rows, sizes, strict=True)]}


def candidates_of(file: Path, config: Config) -> list[Candidate]:
    """The candidates of one file: a network's source, or JSON lines of several. Raises PerfclfError as `rank` does."""
    default = recipe_of(config.recipe)
    if file.suffix not in LINES:
        return [Candidate(str(file), read_network(file), default)]
    if not file.is_file():
        raise PerfclfError(f"no file of candidates {file}")
    lines = [(number, line) for number, line in enumerate(file.read_bytes().splitlines(), 1) if line.strip()]
    return [read_candidate(line, file, number, default) for number, line in lines]


def _sizes(candidates: Sequence[Candidate], target: str, config: Config) -> list[dict[str, int | None]]:
    """Parameters and MACs of each built network; None where it was not built."""
    if config.advice.profile == "never":
        return [{"parameters": None, "macs": None}] * len(candidates)
    sides = [(candidate.arch_code, target, candidate.recipe) for candidate in candidates]
    structures = [found.structure for found in profiles_of(sides, dataset_properties(config.datasets))]
    return [{"parameters": built and built.parameters, "macs": built and built.macs} for built in structures]


def _forecast(row: Ranked) -> dict[str, float]:
    if row.score is None or row.score.accuracy is None:
        return {}
    accuracy = row.score.accuracy
    return {"accuracy": accuracy.value, "accuracy_low": accuracy.low, "accuracy_high": accuracy.high}
