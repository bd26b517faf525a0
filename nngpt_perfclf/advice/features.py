"""What gradient boosting reads: numbers about the code, about each side's recipe, and about each side's dataset.

The code is only scanned for words, never parsed or run; what the scan costs is paid once for each code.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.code_view.parsing import quiet
from nngpt_perfclf.files import read_arrays
from nngpt_perfclf.recipes import transform_parts
from nngpt_perfclf.types import Question, Recipe

if TYPE_CHECKING:
    from nngpt_perfclf.datasets import DatasetProperties

HASHED, COMPONENTS = 4096, 48
# Words whose number of uses tells how a network is built and how it will be optimised.
COUNTED = """
    Conv1d Conv2d ConvTranspose2d Linear Bilinear BatchNorm2d BatchNorm1d LayerNorm GroupNorm InstanceNorm2d MaxPool2d
    AvgPool2d AdaptiveAvgPool2d AdaptiveMaxPool2d Dropout Dropout2d ReLU LeakyReLU ELU GELU SiLU Hardswish Sigmoid Tanh
    Softmax PReLU Mish ReLU6 MultiheadAttention Embedding LSTM GRU Identity Flatten Upsample PixelShuffle Sequential
    ModuleList Parameter Module cat residual groups bias dropout padding stride dilation SGD Adam AdamW RMSprop Adagrad
    weight_decay nesterov momentum lr scheduler StepLR OneCycleLR CosineAnnealingLR clip_grad_norm_ label_smoothing
    kaiming_normal_ xavier_uniform_ trunc_normal_ interpolate softmax log_softmax sigmoid relu NLLLoss CrossEntropyLoss
    checkpoint einsum matmul permute range for class def
""".split()  # noqa: SIM905 - a list of a hundred quoted words would be harder to read
KINDS = ("norm", "echo", "complex", "other")
WIDEST = 100_000
REMEMBERED = 4096  # codes
_WORD = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d+)?(?:e-?\d+)?")
_WHOLE = re.compile(r"\d{1,6}")
_STRIDE = re.compile(r"stride\s*+=\s*+(?:\(\s*+)?(\d{1,2})")
_KERNEL = re.compile(r"kernel_size\s*+=\s*+(?:\(\s*+)?(\d{1,2})")
RECIPE_NUMBERS = ("lr", "momentum", "batch", "dropout", "size", "flip", "kind", "augmentations", "lr_per_image",
                  "effective_lr", "steps", "way")
DATASET_NUMBERS = ("dataset", "images", "native_size", "channels", "classes")


# One side of a question: the network's code, the dataset, the recipe (None: not known).
Side = tuple[str, str, Recipe | None]


@dataclass(frozen=True)
class CodeReader:
    """Turns codes into rows of numbers. `idf` (HASHED,) weighs hashed word counts, `components` (≤ COMPONENTS, HASHED)
    project them; further columns count known words and summarise the widths, strides and kernels of the code."""

    idf: np.ndarray
    components: np.ndarray
    seen: dict[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)

    @staticmethod
    def fit(codes: Sequence[str], seed: int) -> CodeReader:
        """Learn which words are rare and in what few directions codes differ."""
        from sklearn.decomposition import TruncatedSVD

        counts = _counts([_words(quiet(code)) for code in codes])
        idf = np.log((1 + len(codes)) / (1 + np.asarray((counts > 0).sum(axis=0)).ravel())) + 1
        svd = TruncatedSVD(min(COMPONENTS, len(codes)), random_state=seed).fit(_weighted(counts, idf))
        # Half the digits are enough to tell codes apart, and half the file.
        return CodeReader(idf.astype(np.float32), svd.components_.astype(np.float16))

    def __call__(self, codes: Sequence[str]) -> np.ndarray:
        """Shape (n, components + counted words + 9), float32."""
        texts = [quiet(code) for code in codes]
        words = [_words(text) for text in texts]
        topics = _weighted(_counts(words), self.idf) @ self.components.astype(np.float32).T
        rows = [[*_uses(some), *_sizes(text, some)] for text, some in zip(texts, words, strict=True)]
        return np.hstack([topics, rows]).astype(np.float32)

    def again(self, codes: Sequence[str]) -> np.ndarray:
        """The same for codes that are asked about many times: each is read once."""
        new = [code for code in dict.fromkeys(codes) if code not in self.seen]
        if len(self.seen) + len(new) > REMEMBERED:
            self.seen.clear()
            new = list(dict.fromkeys(codes))
        if new:
            self.seen.update(zip(new, self(new), strict=True))
        return np.stack([self.seen[code] for code in codes])

    def save(self, file: Path) -> None:
        """One compressed .npz file of plain arrays."""
        np.savez_compressed(file, idf=self.idf, components=self.components)

    @staticmethod
    def load(file: Path) -> CodeReader:
        """Read what `save` wrote; raises PerfclfError for a missing or foreign file."""
        with read_arrays(file, "reader of codes") as arrays:
            return CodeReader(arrays["idf"], arrays["components"])


def question_rows(questions: Sequence[Question], code_rows: np.ndarray, datasets: Mapping[str, DatasetProperties],
                  names: Sequence[str]) -> np.ndarray:
    """The features (n, width) of questions: code, recipe a, recipe b, their difference, dataset a, dataset b.

    code_rows (n, …): of each question's code. datasets: properties of every dataset that is asked about. names: the
    datasets that were learned from, whose order numbers them.
    """
    recipe_a = np.array([recipe_numbers(asked.recipe_a, datasets[asked.ds_a]) for asked in questions], np.float32)
    recipe_b = np.array([recipe_numbers(asked.recipe_b, datasets[asked.ds_b]) for asked in questions], np.float32)
    numbers = {name: dataset_numbers(name, datasets, names)
               for name in {name for asked in questions for name in (asked.ds_a, asked.ds_b)}}
    both = np.array([numbers[asked.ds_a] + numbers[asked.ds_b] for asked in questions], np.float32)
    return np.hstack([code_rows, recipe_a, recipe_b, recipe_a - recipe_b, both])


def side_rows(sides: Sequence[Side], code_rows: np.ndarray, datasets: Mapping[str, DatasetProperties],
              names: Sequence[str]) -> np.ndarray:
    """The features (n, width) of single sides: code, recipe, dataset; the other arguments as above."""
    recipes = np.array([recipe_numbers(recipe, datasets[dataset]) for _, dataset, recipe in sides], np.float32)
    numbers = {name: dataset_numbers(name, datasets, names) for name in {dataset for _, dataset, _ in sides}}
    return np.hstack([code_rows, recipes, np.array([numbers[dataset] for _, dataset, _ in sides], np.float32)])


def kept_columns(width: int, reads: str, sides: int = 2) -> np.ndarray:
    """A mask (width,) of the columns of `question_rows`, or with `sides` 1 of `side_rows`, that are about the datasets
    or about what `reads` names: code, recipe, both, or nothing."""
    datasets, recipes = sides * len(DATASET_NUMBERS), (3 if sides == 2 else 1) * len(RECIPE_NUMBERS)
    kept = np.ones(width, bool)
    if reads in ("code", "nothing"):
        kept[width - datasets - recipes:width - datasets] = False
    if reads in ("recipe", "nothing"):
        kept[:width - datasets - recipes] = False
    return kept


def recipe_numbers(recipe: Recipe | None, dataset: DatasetProperties) -> list[float]:
    """A recipe as the numbers named in `RECIPE_NUMBERS`, NaN where it does not state one.

    Factors become logarithms. `effective_lr`: with what momentum adds in the long run; `steps`: of one epoch; `way`:
    effective learning rate × steps, how far the weights may travel in one.
    """
    if recipe is None:
        return [math.nan] * len(RECIPE_NUMBERS)
    parts = transform_parts(recipe.transform or "")
    lr, momentum, dropout = _log10(recipe.lr), _stated(recipe.momentum), _stated(recipe.dropout)
    batch = math.log2(recipe.batch) if recipe.batch else math.nan
    effective = lr - math.log10(max(1 - momentum, 1e-3)) if momentum == momentum else math.nan
    steps = math.log2(dataset.images) - batch
    images = [math.nan] * 4
    if recipe.transform:
        images = [math.log2(parts.size or dataset.size), float(parts.flip), float(KINDS.index(parts.kind)),
                  float(len(parts.steps))]
    return [lr, momentum, batch, dropout, *images, lr - batch * math.log10(2), effective, steps,
            effective + steps * math.log10(2)]


def dataset_numbers(name: str, known: Mapping[str, DatasetProperties], names: Sequence[str]) -> list[float]:
    """A dataset as the numbers named in `DATASET_NUMBERS`; its index in `names` is NaN if it was not learned from."""
    dataset = known[name]
    return [float(names.index(name)) if name in names else math.nan, math.log2(dataset.images), math.log2(dataset.size),
            float(dataset.channels), math.log2(dataset.classes)]


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _singles_and_couples(words: Sequence[str]) -> list[str]:
    return [*words, *(f"{one} {two}" for one, two in pairwise(words))]


def _counts(words: Sequence[Sequence[str]]):
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(n_features=HASHED, analyzer=_singles_and_couples, norm=None, alternate_sign=False)
    return hashing.transform(words)


def _weighted(counts, idf: np.ndarray):
    from sklearn.preprocessing import normalize

    counts = counts.astype(np.float32)
    counts.data = 1 + np.log(counts.data)
    return normalize(counts.multiply(idf).tocsr())


def _uses(words: Sequence[str]) -> np.ndarray:
    counts = Counter(words)
    return np.log2(1.0 + np.array([counts[word] for word in COUNTED]))


def _sizes(text: str, words: Sequence[str]) -> list[float]:
    """How long the code is, and the widths, strides and kernels that it states."""
    widths = [int(word) for word in words if _WHOLE.fullmatch(word) and 8 <= int(word) <= WIDEST]
    logs = np.log2(widths or [1])
    strides = [int(stride) for stride in _STRIDE.findall(text)]
    kernels = [int(kernel) for kernel in _KERNEL.findall(text)]
    return [np.log2(len(words) + 1), logs.mean(), logs.max(), logs[0], len(widths),
            float(np.log2(np.maximum(strides or [1], 1)).sum()), strides[0] if strides else 0,
            max(kernels, default=0), float(np.mean(kernels or [0]))]


def _stated(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _log10(value: float | None) -> float:
    return math.nan if value is None else math.log10(max(value, 1e-9))
