"""Who learns and who is held out: train, validation and test, and folds, that never share what must stay apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.config import SplitConfig

PARTS = ("train", "validation", "test")
FAMILIES = ("ga", "ast", "alt", "rag", "FractalNet")
HAND_WRITTEN = "hand-written"
WAYS = ("pairs", "network", "group", "family", "dataset")


def family_of(nn: str) -> str:
    """The generator that wrote the network, by LEMUR's name prefixes; else ``hand-written``."""
    return next((family for family in FAMILIES if nn == family or nn.startswith(f"{family}-")), HAND_WRITTEN)


def split_networks(codes: Mapping[str, str], split: SplitConfig) -> pd.DataFrame:
    """The group, family and part of each network: a table indexed by network name.

    A network's part is that of its group, its family or its own name, as `split.by` says. Under ``pairs`` and
    ``dataset`` a part belongs to a pair, not to a network, and the part here is that of its group.
    """
    import pandas as pd

    from nngpt_perfclf.tasks.groups import near_duplicate_groups

    groups = near_duplicate_groups(codes, split.similarity)
    table = pd.DataFrame({"group": groups, "family": groups.index.map(family_of)})
    if split.by == "family":
        return table.assign(part=_left_out_family(table, split))
    unit = table.index.to_series() if split.by == "network" else table["group"]
    part = _parts(unit, split)
    if split.by != "network":
        sizes = table.groupby("group")["group"].transform("size")
        part = part.where(sizes <= split.largest_held_out, "train")
    return table.assign(part=part)


def add_split(pairs: pd.DataFrame, codes: Mapping[str, str], split: SplitConfig) -> pd.DataFrame:
    """The pairs with `group`, `family` and `part` (train, validation or test).

    codes: of every network that is to be kept apart, also of those without a pair: near-duplicate groups are formed
    over all of them, so that they do not depend on the epoch. A part is chosen by a hash of what it keeps apart, so
    that it stays where it is when data is added. `split.by`: ``group`` (near-duplicates), ``network``, ``family``
    (`split.left_out` is the test part), ``dataset`` (all pairs that touch `split.left_out` are the test part), or
    ``pairs``: each pair by itself, which leaks a network's code from training into test, as the reference does.
    """
    if split.by not in WAYS:
        raise PerfclfError(f"split.by={split.by}: known are {', '.join(WAYS)}")
    networks = split_networks(codes, split)
    missing = set(pairs["nn"]) - set(networks.index)
    if missing:
        raise PerfclfError(f"no code for {len(missing)} networks with trials, such as {min(missing)}")
    table = pairs.join(networks, on="nn")
    if split.by == "pairs":
        names = table[["ds_a", "ds_b"]]
        unit = table["nn"] + "|" + table["epoch"].astype(str) + "|" + names.min(axis=1) + "|" + names.max(axis=1)
        return table.assign(part=_parts(unit, split))
    if split.by == "dataset":
        return table.assign(part=_left_out_dataset(table, split))
    return table


def folds(groups: pd.Series, k: int, seed: int = 0) -> pd.Series:
    """A fold 0..k-1 for each network, no group in two of them: for cross-validation, the largest groups included.

    groups: network -> group. Groups go to the emptiest fold, the largest first, ties by a hash of `seed`.
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


def _parts(units: pd.Series, split: SplitConfig) -> pd.Series:
    """The part that each unit's name is hashed to."""
    held_out = split.test + split.validation
    if not (split.test >= 0 and split.validation >= 0 and held_out < 1):
        raise PerfclfError(f"split.test={split.test} and split.validation={split.validation} leave nothing to train on")
    shares = {unit: _share(unit) for unit in units.unique()}
    return units.map(lambda unit: "test" if shares[unit] < split.test
                     else "validation" if shares[unit] < held_out else "train").astype("str")


def _left_out_family(networks: pd.DataFrame, split: SplitConfig) -> pd.Series:
    _check_left_out(split, sorted(networks["family"].unique()))
    # What chooses and calibrates must not share near-duplicates with what trains, nor may the test part.
    crossing = networks["group"].isin(networks.loc[networks["family"] == split.left_out, "group"])
    rest = _parts(networks["group"], split).replace("test", "train")
    return rest.where(~crossing, "train").where(networks["family"] != split.left_out, "test")


def _left_out_dataset(pairs: pd.DataFrame, split: SplitConfig) -> pd.Series:
    _check_left_out(split, sorted({*pairs["ds_a"], *pairs["ds_b"]}))
    touched = (pairs["ds_a"] == split.left_out) | (pairs["ds_b"] == split.left_out)
    return pairs["part"].replace("test", "train").where(~touched, "test")


def _check_left_out(split: SplitConfig, known: Iterable[str]) -> None:
    if split.left_out not in known:
        raise PerfclfError(f"split.by={split.by} needs split.left_out, one of {', '.join(known)}; not {split.left_out}")


def _share(name: str) -> float:
    """A number in 0..1 that depends on the name alone, evenly spread."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") / 2**64
