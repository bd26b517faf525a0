"""Train, validation and test parts, and folds for cross-validation, by what must not be in two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from nngpt_perfclf.config import SplitConfig
from nngpt_perfclf.tasks.groups import near_duplicate_groups
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("train", "validation", "test")
FAMILIES = ("ga", "ast", "alt", "rag", "FractalNet")
HAND_WRITTEN = "hand-written"
WAYS = ("pairs", "network", "group", "family", "dataset")


def family_of(nn: str) -> str:
    """The generator of the network by LEMUR's name prefixes, or ``hand-written``."""
    return next((family for family in FAMILIES if nn == family or nn.startswith(f"{family}-")), HAND_WRITTEN)


def split_networks(codes: Mapping[str, str], split: SplitConfig) -> pd.DataFrame:
    """The group, family and part of each network: a table indexed by network name.

    codes: of all networks; `add_split` defines the parts. Under ``pairs`` and ``dataset`` a part belongs to a pair, not
    to a network; the part in this table is then that of the network's group.
    """
    return networks_in_parts(near_duplicate_groups(codes, split.similarity), split)


def networks_in_parts(groups: pd.Series, split: SplitConfig) -> pd.DataFrame:
    """The table of `split_networks` from the near-duplicate group of each network."""
    import pandas as pd

    if split.by not in WAYS:
        raise PerfclfError(f"split.by={split.by}: known are {', '.join(WAYS)}")
    if split.left_out is not None and split.by not in ("family", "dataset"):
        raise PerfclfError(f"split.left_out={split.left_out} needs split.by=family or split.by=dataset, not {split.by}")
    table = pd.DataFrame({"group": groups, "family": groups.index.map(family_of)})
    if split.by == "network":
        return table.assign(part=_hashed(table.index.to_series(), split))
    large = groups.map(groups.value_counts()) > split.largest_held_out
    table["part"] = _hashed(groups, split).where(~large, "train")
    if split.by == "family":
        _check_left_out(split, table["family"].unique())
        table["part"] = _left_out(table["part"], table["family"] == split.left_out)
    return table


def trials_of_part(trials: pd.DataFrame, networks: pd.DataFrame, split: SplitConfig, part: str) -> pd.DataFrame:
    """The single trials of one part: of the part's networks, without those on the dataset `left_out`.

    networks: as `split_networks` returns them. Raises PerfclfError under ``pairs``, where any trial may be one side of
    a test pair.
    """
    if split.by == "pairs":
        raise PerfclfError("split.by=pairs separates pairs, not trials, so that an adviser that is trained on single "
                           "trials cannot be evaluated with it: use group, network, family or dataset")
    kept = trials["nn"].map(networks["part"]) == part
    return trials[kept & (trials["dataset"] != split.left_out)] if split.by == "dataset" else trials[kept]


def add_split(pairs: pd.DataFrame, networks: pd.DataFrame, split: SplitConfig) -> pd.DataFrame:
    """The pairs with `group`, `family` and `part` (train, validation or test).

    networks: as `split_networks` returns them, of all networks, so that near-duplicate groups do not depend on the
    epoch. The part is a hash of the unit that is kept together, so that it does not change when data is added.
    `split.by`:

    - ``group``: no near-duplicate group is in two parts; groups of more than `largest_held_out` networks train.
    - ``network``: no network is in two parts.
    - ``family``: the networks of the family `left_out` are the test part; the others are split by group.
    - ``dataset``: all pairs with the dataset `left_out` are the test part; the others are split by group.
    - ``pairs``: each pair is a unit. This leaks a network's code from training into test, as the reference does.

    Raises PerfclfError for an unknown `split.by` or `left_out`, and for a network without code.
    """
    missing = set(pairs["nn"]) - set(networks.index)
    if missing:
        raise PerfclfError(f"no code for {len(missing)} networks with trials, such as {min(missing)}")
    table = pairs.join(networks, on="nn")
    if split.by == "pairs":
        table["part"] = _hashed(_pair_names(table), split)
    elif split.by == "dataset":
        _check_left_out(split, {*pairs["ds_a"], *pairs["ds_b"]})
        table["part"] = _left_out(table["part"], _touch(pairs, split.left_out))
    return table


def folds_of_pairs(pairs: pd.DataFrame, groups: pd.Series, split: SplitConfig, seed: int = 0,
                   k: int = 5) -> dict[str, Callable[[pd.DataFrame], pd.Series]]:
    """Folds for cross-validation: by name, a function from a table of pairs of the same networks (such as further
    draws) to the mask of its rows in the fold. `split.by`:

    - ``group``, ``network``: `k` folds of near-duplicate groups, or of networks.
    - ``family``: a fold for each generator; near-duplicates by other generators stay in training.
    - ``dataset``: a fold for each dataset with all of its pairs; each pair is in two folds.
    - ``pairs``: `k` folds of single pairs, with the leak of `add_split`.

    groups: of all networks. Raises PerfclfError if `split.left_out` is set.
    """
    import pandas as pd

    if split.left_out is not None:
        raise PerfclfError(f"folds leave out each {split.by} in turn: do not set split.left_out")
    names = sorted(pairs["nn"].unique())
    if split.by == "family":
        return {family: lambda table, family=family: table["nn"].map(family_of) == family
                for family in sorted({family_of(nn) for nn in names})}
    if split.by == "dataset":
        return {dataset: lambda table, dataset=dataset: _touch(table, dataset)
                for dataset in sorted({*pairs["ds_a"], *pairs["ds_b"]})}
    if split.by == "pairs":
        return {str(number): lambda table, number=number: _pair_names(table).map(
            lambda pair: int(k * _share(f"{seed}|{pair}")) == number) for number in range(k)}
    fold = folds(groups.reindex(names) if split.by == "group" else pd.Series(names, index=names), k, seed)
    return {str(number): lambda table, number=number: table["nn"].map(fold) == number for number in range(k)}


def folds(groups: pd.Series, k: int, seed: int = 0) -> pd.Series:
    """A fold 0..k-1 for each network, with no group in two folds.

    groups: network -> group. Groups are assigned to the smallest fold, the largest first, ties by a hash of `seed`.
    """
    sizes = groups.value_counts()
    order = sorted(sizes.index, key=lambda group: (-sizes[group], _share(f"{seed}|{group}")))
    fold_of, filled = {}, [0] * k
    for group in order:
        fold_of[group] = filled.index(min(filled))
        filled[fold_of[group]] += int(sizes[group])
    if not all(filled):
        raise PerfclfError(f"{len(sizes)} groups do not fill {k} folds")
    return groups.map(fold_of).rename("fold")


def _hashed(units: pd.Series, split: SplitConfig) -> pd.Series:
    """The part of each unit, by a hash of its name and the configured shares."""
    if not (split.test >= 0 and split.validation >= 0 and split.test + split.validation < 1):
        raise PerfclfError(f"split.test={split.test} and split.validation={split.validation} leave nothing to train on")
    start = split.test + split.fold * split.validation
    if not split.test <= start <= 1:
        raise PerfclfError(f"split.fold={split.fold}: no such share of {split.validation} outside the test part")
    share = {unit: _share(unit) for unit in units.unique()}
    part = {unit: "test" if at < split.test else "validation" if start <= at < start + split.validation else "train"
            for unit, at in share.items()}
    return units.map(part).astype("str")


def _pair_names(pairs: pd.DataFrame) -> pd.Series:
    """A name for each network, epoch and unordered pair of datasets."""
    names = pairs[["ds_a", "ds_b"]]
    return pairs["nn"] + "|" + pairs["epoch"].astype(str) + "|" + names.min(axis=1) + "|" + names.max(axis=1)


def _touch(pairs: pd.DataFrame, dataset: str | None) -> pd.Series:
    return (pairs["ds_a"] == dataset) | (pairs["ds_b"] == dataset)


def _left_out(parts: pd.Series, test: pd.Series) -> pd.Series:
    return parts.replace("test", "train").where(~test, "test")


def _check_left_out(split: SplitConfig, names: Collection[str]) -> None:
    if split.left_out not in names:
        raise PerfclfError(f"split.by={split.by} needs split.left_out, one of {', '.join(sorted(names))}; "
                           f"not {split.left_out}")


def _share(name: str) -> float:
    """A uniform hash of the name in 0..1."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") / 2**64
