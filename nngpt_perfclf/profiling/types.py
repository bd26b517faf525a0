"""A network's profile, and what it is a profile of."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.recipes import transform_parts
from nngpt_perfclf.types import PerfclfError, Recipe

_ENVIRONMENT = re.compile(r"(ModuleNotFound|Import|OS|IO|Permission|FileNotFound|Connection|URL|Timeout|Memory)Error\b"
                          r"|.*DefaultCPUAllocator")
Status = Literal["built", "failed", "timed out", "no sandbox"]
# nn-dataset, ab/nn/transform/soft_pad.py: images are padded to 800 × 800 pixels.
_PADDED = {"soft_pad": 800}
# Height and width as torchvision loads them, where the known size is that of NNGPT's table of datasets.
_ORIGINAL = {"celeba-gender": (218, 178)}


@dataclass(frozen=True)
class Shapes:
    """What a network is built for: images of `channels` × `size` × `width` (None: as wide as high), of complex numbers
    if `complex`, and `classes`."""

    channels: int
    size: int
    classes: int
    complex: bool = False
    width: int | None = None

    def __post_init__(self):
        if self.width is None:
            object.__setattr__(self, "width", self.size)


@dataclass(frozen=True)
class Layer:
    """One module that was run. `type`: the nearest class of PyTorch's own; `shape`: of its output for one image;
    `parameters`: its own; `macs`: multiplications with accumulation for one image."""

    name: str
    type: str
    shape: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True)
class TrainingSetup:
    """What `train_setup` sets up, by PyTorch's class names ("custom": a class of the candidate's own); None: not there.

    `lr`: the highest of the parameter groups; `groups`: how many these are; `optimized`: parameters in them.
    """

    optimizer: str | None = None
    scheduler: str | None = None
    loss: str | None = None
    lr: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    beta1: float | None = None
    beta2: float | None = None
    nesterov: bool | None = None
    groups: int | None = None
    optimized: int | None = None
    label_smoothing: float | None = None
    class_weights: bool = False


@dataclass(frozen=True)
class Structure:
    """What follows from the code and the shapes alone, for one image where nothing else is said.

    `way`: how it was built (meta, mixed, real); `executed`: parameters that an operator reads; `activations`: numbers
    that the operators make; `depth`, `shortest`, `mean_depth`: layers with weights on the longest, the shortest and the
    mean path from input to output; `log_paths`: natural logarithm of the number of paths; `receptive_field`: pixels
    that a position of the last feature map sees; `trace`: (channels, height, width) after each convolution and pooling,
    repetitions left out; `operators`: ATen's, on what follows from the input; `kinds`: classes of the layers, and
    ``op:…`` of operators by use. `dropouts` and `setups` are those of two recipes (`settings`), since they follow from
    the recipe.
    """

    way: str
    parameters: int
    trainable: int
    executed: int
    buffers: int
    macs: int
    activations: int
    depth: int
    shortest: int
    mean_depth: float
    log_paths: float
    receptive_field: float
    layers: tuple[Layer, ...] = field(hash=False)
    layers_left_out: int
    trace: tuple[tuple[int, int, int], ...]
    operators: Mapping[str, int] = field(hash=False)
    kinds: Mapping[str, int] = field(hash=False)
    output: tuple[int, ...]
    dropouts: tuple[tuple[float, ...], tuple[float, ...]]
    setups: tuple[TrainingSetup, TrainingSetup]


@dataclass(frozen=True)
class Profile:
    """What is known of one candidate on one dataset.

    `status`: built; failed, with `stage` (contract, import, build, forward, setup) and `reason`; timed out; no sandbox
    (nothing was run). `structure`, `dropouts` (the probabilities in the order in which they are used) and `setup`
    are there where it was built; the latter two follow from the candidate's recipe.
    """

    status: Status
    shapes: Shapes
    stage: str = ""
    reason: str = ""
    structure: Structure | None = None
    dropouts: tuple[float, ...] = ()
    setup: TrainingSetup | None = None

    @property
    def broken(self) -> bool:
        """Whether training it would fail wherever it is trained. What may lie in this machine or the sandbox does not
        count: a package that is not installed, a file, a download, memory."""
        return self.status == "failed" and not _ENVIRONMENT.match(self.reason)

    @property
    def why_not_built(self) -> str:
        """The stage and the reason in one line; empty where it was built."""
        return ": ".join(filter(None, (self.stage, self.reason)))

    @property
    def activation_bytes(self) -> int | None:
        """Memory that the operators' results take, for one image in single precision."""
        return None if self.structure is None else 4 * self.structure.activations

    def to_dict(self) -> dict:
        """Plain values, for JSON: the structure's fields beside the others, without the two recipes' settings."""
        plain = asdict(self)
        structure = plain.pop("structure") or {}
        kept = {name: value for name, value in structure.items() if name not in ("dropouts", "setups")}
        return {**plain, **kept, "activation_bytes": self.activation_bytes}


def shapes_of(recipe: Recipe, target: str, datasets: Mapping[str, DatasetProperties]) -> Shapes:
    """The images that a network is trained with, and its classes; where the recipe does not resize, the dataset's own.

    Raises PerfclfError for a dataset that is not one of `datasets`.
    """
    if target not in datasets:
        raise PerfclfError(f"unknown dataset {target!r}; known: {', '.join(sorted(datasets))}")
    dataset = datasets[target]
    parts = transform_parts(recipe.transform or "")
    stated = parts.size or _PADDED.get(recipe.transform or "")
    height, width = (stated, stated) if stated else _ORIGINAL.get(target, (dataset.size, dataset.size))
    return Shapes(dataset.channels, height, dataset.classes, parts.kind == "complex", width)
