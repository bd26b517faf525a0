"""What this machine computes fast: the precision of language models is chosen by a measured matrix product. What
`models.reading` finds out about products here takes as long as a few answers, and is remembered as well."""

import hashlib
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch

from nngpt_perfclf import budget
from nngpt_perfclf.config import home
from nngpt_perfclf.console import say
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.key_value import KeyValueStore
from nngpt_perfclf.models import reading
from nngpt_perfclf.types import PerfclfError

Precision = Literal["float32", "bfloat16"]
T = TypeVar("T")

# Without instructions of its own for bfloat16 a processor converts every number, and is 20 to 100 times slower.
_WORTH_IT = 1.2
_SIZE = 512  # of the square matrices; a product of float32 takes 5 ms at 50 GFLOP/s
_TOO_LONG = 10.0  # seconds
_SMALL = 128  # tells slow bfloat16 in a few milliseconds
# What limits the instructions that torch's libraries use, so that another choice may be right.
_LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")


@dataclass(frozen=True)
class Rates:
    """GFLOP/s of a matrix product in each precision."""

    float32: float
    bfloat16: float

    @property
    def fast(self) -> Precision:
        """The precision that is worth using."""
        return "bfloat16" if self.bfloat16 > _WORTH_IT * self.float32 else "float32"


def resolve(precision: str) -> Precision:
    """The precision that `train.precision` stands for on this machine: itself, or what ``auto`` chooses.

    A GPU is asked whether it has bfloat16 instructions. On a processor a matrix product of a few milliseconds is timed
    once in both precisions and remembered in the cache folder.
    """
    if precision != "auto":
        return precision
    device = device_type()
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return rates().fast


def device_type() -> str:
    """Where language models compute: ``cuda`` or ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def rates() -> Rates:
    """Those of this processor, measured at first use and read from the cache folder later."""
    file = home() / "device" / f"{hashlib.sha256(machine().encode()).hexdigest()[:16]}.json"
    if file.is_file():
        stored = read_json(file)
        try:
            return Rates(float(stored["float32"]), float(stored["bfloat16"]))
        except (KeyError, TypeError, ValueError) as error:
            raise PerfclfError(f"{file} is damaged: delete it, and the rates are measured again") from error
    found = measure_rates()
    write_json(file, {"machine": machine(), **asdict(found)})
    say(f"{instruction_set()}: {found.float32:,.0f} GFLOP/s in float32, {found.bfloat16:,.1f} in bfloat16; "
        f"computing in {found.fast} (train.precision forces another)")
    return found


def measure_rates() -> Rates:
    """Time matrix products; bfloat16 is given up early where it is slow."""
    small = matrix_rate(torch.bfloat16, _SMALL)
    single = matrix_rate(torch.float32, _SIZE)
    if small < single / 8:
        return Rates(single / 1e9, small / 1e9)
    return Rates(single / 1e9, matrix_rate(torch.bfloat16, _SIZE) / 1e9)


def matrix_rate(dtype: torch.dtype, size: int, repeats: int = 3) -> float:
    """FLOP/s of the best of several products of two square matrices, where language models compute."""
    a, b = (torch.randn(size, size, device=device_type()).to(dtype) for _ in range(2))
    with torch.inference_mode():
        return 2 * size**3 / best_seconds(lambda: a @ b, repeats)


def best_seconds(work: Callable[[], object], repeats: int) -> float:
    """The shortest of several calls after one that does not count, unless it takes too long to be repeated."""
    taken = []
    for _ in range(repeats + 1):
        taken.append(timed(work)[1])
        if taken[0] > _TOO_LONG:
            break
    return min(taken[1:] or taken)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What a call returns, and its seconds, including the work that it leaves to a GPU."""
    def finished() -> T:
        result = work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return result

    return budget.timed(finished)


def instruction_set() -> str:
    """What torch computes matrix products with, such as ``avx2``, ``avx512 amx`` or ``cuda sm_90``."""
    if device_type() == "cuda":
        return "cuda sm_{}{}".format(*torch.cuda.get_device_capability())
    name = torch.backends.cpu.get_cpu_capability().lower()
    if limit := os.environ.get("ONEDNN_MAX_CPU_ISA"):
        return name if limit.lower().startswith(name) else f"{name} onednn={limit.lower()}"
    extra = "amx" if torch.cpu._is_amx_tile_supported() else "bf16" if torch.cpu._is_avx512_bf16_supported() else ""
    return f"{name} {extra}".strip()


def machine() -> str:
    """What decides how fast, and in its last bits what, is computed here."""
    limits = " ".join(f"{name}={os.environ[name]}" for name in _LIMITS if name in os.environ)
    return "; ".join(filter(None, [_processor(), instruction_set(), f"torch {torch.__version__}",
                                   f"{torch.get_num_threads()} threads", limits]))


def _processor() -> str:
    if device_type() == "cuda":
        return torch.cuda.get_device_name()
    processors = Path("/proc/cpuinfo")
    lines = processors.read_text(encoding="utf-8").splitlines() if processors.is_file() else []
    kept = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "flags"))][:2]
    return kept[0] + " " + hashlib.sha256("".join(kept).encode()).hexdigest()[:8] if kept else platform.machine()


def remembered(find: Callable[[], int], shapes: str, asked: tuple[int, ...]) -> int:
    """What `find` finds about a decoder of these `shapes`; it is called where nobody `asked` the same before on this
    machine with as many threads."""
    store = KeyValueStore(home() / "device" / "agreement.sqlite", "agreement", "asked", {"found": "INTEGER"})
    key = hashlib.sha256(f"{machine()} {shapes} {asked}".encode()).hexdigest()
    stored = store.read([key])
    if key in stored:
        return stored[key][0]
    found = find()
    store.write([(key, found)], replace=False)
    return found


def shapes_of(weights: Iterable[tuple[str, torch.Tensor]], settings: str) -> str:
    """A digest of what decides how a model's products are computed: names, shapes and precision of its weights, its
    settings, and the code that reads."""
    content = hashlib.sha256(settings.encode())
    content.update(Path(reading.__file__).read_bytes())
    for name, weight in weights:
        content.update(f"{name} {tuple(weight.shape)} {weight.dtype};".encode())
    return content.hexdigest()
