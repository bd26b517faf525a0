"""Whether an adviser orders outcomes that it has not seen better than the shipped one: the gate before it is used."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice import load_scorer
from nngpt_perfclf.advice.inputs import read_outcomes
from nngpt_perfclf.advice.outcomes import usable_by_dataset
from nngpt_perfclf.config import Config
from nngpt_perfclf.run_folder import RunFolder
from nngpt_perfclf.types import Observation, PerfclfError

BOOTSTRAPS = 1000
LEAST = 10  # outcomes on a dataset below which nothing is said about it


def check_outcomes(config: Config, run: str | None, file: str) -> dict:
    """Compare the adviser `run` (default: `config.adviser`) with `config.scorer` on the outcomes in `file`.

    Returns n, for both the share of pairs of outcomes on one dataset that are in the right order, their difference
    with its 95 % interval (bootstrap of outcomes), and whether `run` is `better`: the interval lies above 0. Raises
    PerfclfError for outcomes that `run` was trained on, and for fewer than `LEAST` on every dataset.
    """
    name = run or config.adviser
    _check_unseen(name, Path(file))
    found = usable_by_dataset(read_outcomes(Path(file), config.epoch), config.epoch)
    found = {dataset: entries for dataset, entries in found.items() if len(entries) >= LEAST}
    if not found:
        raise PerfclfError(f"{file} has fewer than {LEAST} usable outcomes on every dataset: too few to compare on")
    rng = np.random.default_rng(config.seed)
    new, old = load_scorer(name, config), load_scorer(config.scorer, config)
    shares, weights = [], []
    for dataset, entries in found.items():
        values = [np.array([np.nan if score is None else score.value
                            for score in scorer.score([entry.candidate for entry in entries], dataset)], float)
                  for scorer in (new, old)]
        shares.append(_concordant(values, entries, rng))
        weights.append(len(entries))
    new, old = np.average(shares, axis=0, weights=weights)
    low, high = np.percentile((new - old)[1:], [2.5, 97.5])
    return {"adviser": name, "against": config.scorer, "outcomes": sum(weights), "datasets": sorted(found),
            "right_order": float(new[0]), "right_order_against": float(old[0]), "difference": float(new[0] - old[0]),
            "difference_low": float(low), "difference_high": float(high), "better": bool(low > 0)}


def _check_unseen(name: str, file: Path) -> None:
    if not Path(name).is_dir():
        return
    learned = RunFolder(Path(name)).manifest.get("config", {}).get("corpus", {}).get("outcomes", [])
    if file.resolve() in {Path(path).resolve() for path in learned}:
        raise PerfclfError(f"{name} was trained on {file}: check it on outcomes that it has not seen")


def _concordant(values: Sequence[np.ndarray], entries: Sequence[Observation], rng: np.random.Generator) -> np.ndarray:
    """The share of pairs in the right order for each adviser: (advisers, 1 + bootstrap samples). A missing score or
    a tie counts one half, pairs of equal accuracies do not count."""
    accuracy = np.array([entry.accuracy for entry in entries])
    wanted = np.sign(accuracy[:, None] - accuracy[None])
    samples = rng.multinomial(len(entries), np.full(len(entries), 1 / len(entries)), size=BOOTSTRAPS)
    weights = np.vstack([np.ones(len(entries)), samples])
    pairs = np.abs(wanted)
    total = np.einsum("bi,ij,bj->b", weights, pairs, weights)
    rows = []
    for value in values:
        right = np.where(pairs > 0, (1 + wanted * np.sign(np.nan_to_num(value[:, None] - value[None]))) / 2, 0)
        rows.append(np.einsum("bi,ij,bj->b", weights, right, weights) / np.maximum(total, 1))
    return np.array(rows)
