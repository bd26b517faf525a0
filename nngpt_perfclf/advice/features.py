"""What the trees read: numbers about the network, the recipe and the dataset of one side of a question.

The network is read in one of two ways: its profile, where it was built, or its text, which is scanned for words but
neither parsed nor run.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from nngpt_perfclf.code_view.parsing import quiet
from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.recipes import transform_parts
from nngpt_perfclf.types import Question, Recipe

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


def sides_of(questions: Sequence[Question]) -> list[Side]:
    """Side a, then side b, of each question."""
    return [side for asked in questions for side in
            ((asked.arch_code, asked.ds_a, asked.recipe_a), (asked.arch_code, asked.ds_b, asked.recipe_b))]


def recipe_rows(sides: Sequence[Side], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
    """The numbers of each side's recipe, shape (n, len(RECIPE_NUMBERS))."""
    rows = [recipe_numbers(recipe, datasets[dataset]) for _, dataset, recipe in sides]
    return np.array(rows, np.float32).reshape(-1, len(RECIPE_NUMBERS))


def dataset_rows(sides: Sequence[Side], datasets: Mapping[str, DatasetProperties], names: Sequence[str]) -> np.ndarray:
    """The numbers of each side's dataset, shape (n, len(DATASET_NUMBERS)). names: the datasets that were learned from,
    whose order numbers them."""
    numbers = {name: dataset_numbers(name, datasets, names) for name in {dataset for _, dataset, _ in sides}}
    rows = [numbers[dataset] for _, dataset, _ in sides]
    return np.array(rows, np.float32).reshape(-1, len(DATASET_NUMBERS))


def text_rows(codes: Sequence[str]) -> np.ndarray:
    """The numbers of each code's text, shape (n, len(COUNTED) + 9), float32; each code is read once."""
    return np.array([_text_numbers(code) for code in codes], np.float32).reshape(-1, len(COUNTED) + 9)


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


def dataset_numbers(name: str, datasets: Mapping[str, DatasetProperties], names: Sequence[str]) -> list[float]:
    """A dataset as the numbers named in `DATASET_NUMBERS`; its index in `names` is NaN if it was not learned from."""
    dataset = datasets[name]
    return [float(names.index(name)) if name in names else math.nan, math.log2(dataset.images), math.log2(dataset.size),
            float(dataset.channels), math.log2(dataset.classes)]


@lru_cache(maxsize=REMEMBERED)
def _text_numbers(code: str) -> tuple[float, ...]:
    """How often each of `COUNTED` is used, how long the code is, and the widths, strides and kernels that it states."""
    text = quiet(code)
    words = _WORD.findall(text)
    counts = Counter(words)
    widths = [int(word) for word in words if _WHOLE.fullmatch(word) and 8 <= int(word) <= WIDEST]
    logs = np.log2(widths or [1])
    strides = [int(stride) for stride in _STRIDE.findall(text)]
    kernels = [int(kernel) for kernel in _KERNEL.findall(text)]
    return (*(math.log2(1 + counts[word]) for word in COUNTED), math.log2(len(words) + 1), float(logs.mean()),
            float(logs.max()), float(logs[0]), float(len(widths)),
            float(np.log2(np.maximum(strides or [1], 1)).sum()), float(strides[0] if strides else 0),
            float(max(kernels, default=0)), float(np.mean(kernels or [0])))


def _stated(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _log10(value: float | None) -> float:
    return math.nan if value is None else math.log10(max(value, 1e-9))
