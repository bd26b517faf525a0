"""Made-up predictions: pairs of networks with an adviser that is somewhat better than the majority baseline."""

from itertools import combinations

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.base import Adviser

EASE = {"celeba-gender": 1.2, "cifar-10": 0.0, "cifar-100": -1.0, "imagenette": -0.2, "mnist": 1.0, "places365": -0.9,
        "svhn": 0.6}


def predictions(networks: int = 60, groups: int = 20, skill: float = 1.0, seed: int = 0) -> pd.DataFrame:
    """All 21 pairs of each network; `skill`: how much of the truth the adviser sees (negative: the contrary)."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(networks):
        ease = {dataset: random.normal(mean, 0.7) for dataset, mean in EASE.items()}
        rows += [(number, *pair, *(ease[dataset] for dataset in pair)) for pair in combinations(EASE, 2)]
    table = pd.DataFrame(rows, columns=["number", "ds_a", "ds_b", "norm_a", "norm_b"])
    difference = table["norm_a"] - table["norm_b"]
    won = difference > 0
    pair = table["ds_a"] + "/" + table["ds_b"]
    prior = won.groupby(pair).transform("mean").clip(0.02, 0.98)
    noise = random.normal(0, 0.5, (2, len(table)))
    evidence = np.log(prior / (1 - prior)) + skill * 2 * difference
    return table.assign(
        nn="net-" + table["number"].astype(str), epoch=1, better=table["ds_a"].where(won, table["ds_b"]), tie=False,
        margin=np.minimum(difference.abs() / 4, 1), group="g" + (table["number"] % groups).astype(str),
        family=np.where(table["number"] % 3 == 0, "rag", "hand-written"), part="test", prior_a=prior,
        logit_ab=evidence + noise[0], logit_ba=evidence + noise[1],
        p_a=1 / (1 + np.exp(-(evidence + noise.mean(axis=0))))).drop(columns="number")


def swapped(table: pd.DataFrame) -> pd.DataFrame:
    """The same predictions with both sides of every pair exchanged."""
    other = table.rename(columns={"ds_a": "ds_b", "ds_b": "ds_a", "norm_a": "norm_b", "norm_b": "norm_a",
                                  "logit_ab": "logit_ba", "logit_ba": "logit_ab"})
    return other.assign(p_a=1 - other["p_a"], prior_a=1 - other["prior_a"], logit_ab=-other["logit_ab"],
                        logit_ba=-other["logit_ba"])


class LengthAdviser(Adviser):
    """Answers by the length of the code and of the first dataset's name, so that the order of a question matters."""

    asked = 0

    def evidence(self, questions):
        self.asked += len(questions)
        return np.array([[len(question.arch_code) / 9 - len(question.ds_a) / 4] for question in questions])


def pairs_and_codes(networks: int = 60) -> tuple[pd.DataFrame, dict[str, str]]:
    """Pairs without predictions, and the networks' codes."""
    table = predictions(networks).drop(columns=["p_a", "logit_ab", "logit_ba", "prior_a"])
    recipe = ("lr", "momentum", "batch", "dropout", "transform")
    table = table.assign(**{f"{name}_{side}": np.nan for name in recipe for side in "ab"})
    return table, {nn: f"x = {nn!r}\n" for nn in table["nn"].unique()}
