"""The baseline to beat: LightGBM on features of the code, the two recipes and the two datasets.

A question is asked in one order only, the datasets' alphabetical one, and the other order gets the negative: the model
cannot depend on the order, and has half as much to learn. A network counts the less the more near-duplicates it has
(by the square root): on validation that was worth more than any parameter of the trees.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nngpt_perfclf.advice.base import Adviser, note_on_recipes
from nngpt_perfclf.advice.calibration import Calibration, save_calibrations
from nngpt_perfclf.advice.features import CodeReader, kept_columns, question_rows
from nngpt_perfclf.advice.loading import calibration_of, common
from nngpt_perfclf.advice.prior import PairPrior, save_priors
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import say
from nngpt_perfclf.corpus import load_corpus
from nngpt_perfclf.datasets import DatasetProperties, dataset_properties
from nngpt_perfclf.record import read_json, record, write_json
from nngpt_perfclf.tasks import add_split, codes_of, labelled_trials, load_task, make_pairs, question_of, split_networks
from nngpt_perfclf.types import PerfclfError, Question

if TYPE_CHECKING:
    import lightgbm
    import pandas as pd

    from nngpt_perfclf.corpus import Corpus

DRAWS = 4  # pairs of trials for each network and pair of datasets: there are far more trials than one draw shows
TREES = 200
PARAMETERS = {
    "objective": "binary", "learning_rate": 0.08, "num_leaves": 31, "min_data_in_leaf": 100, "lambda_l2": 5.0,
    "feature_fraction": 0.3, "bagging_fraction": 0.7, "bagging_freq": 1, "max_bin": 63, "deterministic": True,
    "force_row_wise": True, "verbosity": -1,
}


@dataclass(frozen=True)
class Forest:
    """The trees of one label and what makes features for them. `reads`: code, recipe or both."""

    reader: CodeReader
    trees: lightgbm.Booster
    datasets: tuple[str, ...]
    reads: str

    def log_odds(self, questions: Sequence[Question], known: Mapping[str, DatasetProperties]) -> np.ndarray:
        """Log-odds (n,) that `ds_a` is the better one."""
        if not questions:
            return np.zeros(0)
        rows, turned = self.rows(questions, known)
        scores = self.trees.predict(rows, raw_score=True, num_threads=1)
        return np.where(turned, -scores, scores)

    def rows(self, questions: Sequence[Question],
             known: Mapping[str, DatasetProperties]) -> tuple[np.ndarray, np.ndarray]:
        """The features (n, width) of the questions in alphabetical order, and which of them (n,) were turned for it."""
        turned = np.array([question.ds_a > question.ds_b for question in questions])
        ordered = [question.swapped() if turn else question for question, turn in zip(questions, turned, strict=True)]
        rows = question_rows(ordered, self.reader.again([one.arch_code for one in ordered]), known, self.datasets)
        return rows[:, kept_columns(rows.shape[1], self.reads)], turned


@dataclass
class PairwiseAdviser(Adviser):
    """`forest` answers questions with both recipes, `bare`, which reads the code alone, all others."""

    forest: Forest | None = None
    bare: Forest | None = None

    def log_odds(self, questions: Sequence[Question]) -> np.ndarray:
        told = np.array([question.tells_recipes for question in questions], bool)
        odds = np.empty(len(questions))
        for forest, chosen in ((self.forest, told), (self.bare, ~told)):
            odds[chosen] = forest.log_odds([questions[at] for at in np.flatnonzero(chosen)], self.known)
        return odds

    def note(self, question: Question) -> str:
        return note_on_recipes(question)

    @classmethod
    def load(cls, folder: Path, config: Config) -> PairwiseAdviser:
        """The forests of `config.label` in a run folder; raises PerfclfError where one is missing or damaged."""
        told = read_json(folder / "run.json")
        reader, datasets = CodeReader.load(folder / "reader.npz"), tuple(told["datasets"])
        forest, bare = (Forest(reader, load_trees(folder / name), datasets, reads)
                        for name, reads in forest_files(config.label, told["reads"]).items())
        return cls(name=folder.name, **common(folder, config), calibration=calibration_of(folder, config),
                   forest=forest, bare=bare)


def forest_files(label: str, reads: str) -> dict[str, str]:
    """The files of a label's two forests, with recipes and without, and what each reads."""
    return {f"{label}.txt.gz": reads, f"{label}-bare.txt.gz": "nothing" if reads == "recipe" else "code"}


def load_trees(file: Path) -> lightgbm.Booster:
    """The one booster in a file of `load_boosters`."""
    return load_boosters(file)[0]


def load_boosters(file: Path) -> tuple[lightgbm.Booster, ...]:
    """LightGBM's own texts, form feeds between them, packed; raises PerfclfError for a missing or damaged file."""
    import lightgbm

    if not file.is_file():
        raise PerfclfError(f"no {file.name} in {file.parent}: it was not trained for that label")
    try:
        texts = gzip.decompress(file.read_bytes()).decode().split("\f")
        return tuple(lightgbm.Booster(model_str=text) for text in texts)
    except (OSError, EOFError, UnicodeDecodeError, lightgbm.basic.LightGBMError) as error:
        raise PerfclfError(f"{file} is damaged: {error}") from error


def fit_forest(pairs: pd.DataFrame, codes: Mapping[str, str], groups: pd.Series, reader: CodeReader, config: Config,
               known: Mapping[str, DatasetProperties], reads: str) -> Forest:
    """Trees that read the code, the recipe, both or nothing of `pairs`, all of the training part and without ties.

    groups: network -> near-duplicate group. The same configuration gives the same trees, whatever the threads.
    """
    import lightgbm

    forest = Forest(reader, None, tuple(sorted({*pairs["ds_a"], *pairs["ds_b"]})), reads)
    rows, turned = forest.rows([question_of(row, codes) for row in pairs.itertuples()], known)
    first_won = (pairs["better"] == pairs["ds_a"]).to_numpy() ^ turned
    parameters = {**PARAMETERS, "seed": config.seed, "num_threads": config.threads or 0}
    trees = lightgbm.train(parameters, lightgbm.Dataset(rows, first_won, weight=weights_of(pairs["nn"], groups)), TREES)
    return Forest(reader, trees, forest.datasets, reads)


def drawn_pairs(trials: pd.DataFrame, label: str, config: Config, draws: int) -> pd.DataFrame:
    """Pairs without ties: several draws of a trial a side, or the best trials once, as `config.trial` says."""
    import pandas as pd

    draws = draws if config.trial == "one" else 1
    pairs = pd.concat([make_pairs(trials, label, config.trial, config.seed + 1000 * draw) for draw in range(draws)],
                      ignore_index=True)
    return pairs[~pairs["tie"]]


def weights_of(networks: pd.Series, groups: pd.Series, power: float = 0.5) -> np.ndarray:
    """One over a power (the square root) of the number of networks in each network's group; the mean is 1."""
    sizes = networks.map(groups).map(groups.value_counts()).to_numpy(float)
    return sizes**-power / np.mean(sizes**-power)


class Ground(NamedTuple):
    """What trees of any kind are grown on: the corpus, its labelled `trials`, the `codes`, the datasets' properties,
    group and part of each of the `networks`, the reader of codes."""

    corpus: Corpus
    trials: pd.DataFrame
    codes: dict[str, str]
    known: Mapping[str, DatasetProperties]
    networks: pd.DataFrame
    reader: CodeReader


def ground(config: Config, out: Path) -> Ground:
    """The ground of a configuration; its reader, fitted on the training part's codes, is left in the run folder `out`.

    Raises PerfclfError for datasets without properties and for a split that leaves no network to learn from.
    """
    corpus, task = load_corpus(config), load_task(config.task)
    trials, codes = labelled_trials(corpus, task, config.epoch), codes_of(corpus, task)
    known = dataset_properties(config.datasets)
    if unknown := set(trials["dataset"]) - set(known):
        raise PerfclfError(f"no properties of {', '.join(sorted(unknown))}: give them in a file, datasets=FILE")
    networks = split_networks(codes, config.split)
    learning = sorted(networks.index[networks["part"] == "train"])
    if not learning:
        raise PerfclfError("no networks to learn from: change split.*")
    reader = CodeReader.fit([codes[nn] for nn in learning], config.seed)
    out.mkdir(parents=True, exist_ok=True)
    reader.save(out / "reader.npz")
    return Ground(corpus, trials, codes, known, networks, reader)


def train_pairwise(config: Config, out: Path) -> dict:
    """Fit and calibrate a forest for each of `config.train.labels`; leave a run folder that `load_advisor` opens."""
    corpus, trials, codes, known, networks, reader = ground(config, out)
    priors, calibrations, result, names = {}, {}, {}, ()
    for label in config.train.labels:
        say(f"fitting trees for label={label}")
        pairs = add_split(drawn_pairs(trials, label, config, DRAWS), codes, config.split)
        learned, checked = pairs[pairs["part"] == "train"], pairs[pairs["part"] == "validation"]
        if learned.empty or checked.empty:
            raise PerfclfError("no pairs to learn from or none to calibrate on: change split.*")
        forests = [fit_forest(learned, codes, networks["group"], reader, config, known, reads)
                   for reads in forest_files(label, config.advice.features).values()]
        for forest, file in zip(forests, forest_files(label, config.advice.features), strict=True):
            (out / file).write_bytes(gzip.compress(forest.trees.model_to_string().encode(), mtime=0))
        once = add_split(make_pairs(trials, label, config.trial, config.seed), codes, config.split)
        priors[label], names = PairPrior.fit(once[once["part"] == "train"]), forests[0].datasets
        odds = forests[0].log_odds([question_of(row, codes) for row in checked.itertuples()], known)
        won = (checked["better"] == checked["ds_a"]).to_numpy()
        calibrations[label] = Calibration.fit(odds, won)
        result |= {f"validation_{label}": float(np.mean((odds > 0) == won)), f"validation_{label}_n": len(checked)}
    save_priors(priors, out / "prior.json")
    save_calibrations(calibrations, out / "calibration.json")
    write_json(out / "run.json", record("pairwise", to_dict(config), corpus.fingerprint, status="done", result=result,
                                        datasets=list(names), reads=config.advice.features))
    return {"run": str(out), **result}
