"""The pair prior, the majority baseline: which dataset usually wins a pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf.files import found_above, read_json, write_json
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    import pandas as pd

FILE = "prior.json"


@dataclass(frozen=True)
class PairPrior:
    """`wins`: (dataset, other dataset) -> how many recorded pairs of the two the first one won. Laplace-smoothed: a
    pair of datasets that was never seen gives 0.5."""

    wins: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @staticmethod
    def fit(pairs: pd.DataFrame) -> PairPrior:
        """Count the winners of `pairs` (columns ds_a, ds_b, better), which must be pairs of the training part."""
        other = pairs["ds_b"].where(pairs["better"] == pairs["ds_a"], pairs["ds_a"])
        counts = pairs.groupby([pairs["better"], other.rename("other")], observed=True).size()
        return PairPrior({(str(winner), str(loser)): int(count) for (winner, loser), count in counts.items()})

    def __call__(self, ds_a: str, ds_b: str) -> float:
        """The probability that `ds_a` wins against `ds_b`."""
        won, lost = self._smoothed(ds_a, ds_b)
        return won / (won + lost)

    def log_odds(self, ds_a: str, ds_b: str) -> float:
        """The same as log-odds; exchanging the two changes the sign and nothing else."""
        won, lost = self._smoothed(ds_a, ds_b)
        return log(won) - log(lost)

    def count(self, ds_a: str, ds_b: str) -> int:
        """How many pairs of the two datasets were counted."""
        return self.wins.get((ds_a, ds_b), 0) + self.wins.get((ds_b, ds_a), 0)

    @property
    def datasets(self) -> frozenset[str]:
        """All datasets that were learned from."""
        return frozenset(name for pair in self.wins for name in pair)

    def _smoothed(self, ds_a: str, ds_b: str) -> tuple[int, int]:
        return self.wins.get((ds_a, ds_b), 0) + 1, self.wins.get((ds_b, ds_a), 0) + 1


def save_priors(priors: Mapping[str, PairPrior], folder: Path) -> None:
    """Write the prior of each label (normalized, rank) into ``prior.json``: label -> winner -> loser -> count."""
    content: dict = {}
    for label, prior in priors.items():
        for (winner, loser), count in sorted(prior.wins.items()):
            content.setdefault(label, {}).setdefault(winner, {})[loser] = count
    write_json(folder / FILE, content)


def load_prior(folder: Path, label: str) -> PairPrior:
    """The prior of one label in a run folder, or in the nearest folder above it that has one: pretrained advisers,
    which learned from one split, share theirs. Raises PerfclfError where it is missing, damaged or lacks the label."""
    file = found_above(folder, FILE)
    content = read_json(file)
    if label not in content:
        raise PerfclfError(f"{folder} was not trained for label={label}, only for {', '.join(content) or 'none'}")
    try:
        return PairPrior({(winner, loser): int(count)
                          for winner, losers in content[label].items() for loser, count in losers.items()})
    except (AttributeError, TypeError, ValueError) as error:
        raise PerfclfError(f"{file} is not a file of pair priors: {error}") from error
