"""Optional libraries, by the extra that installs them: asking needs none of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from nngpt_perfclf.types import PerfclfError

# Names of modules, not of distributions.
EXTRAS = {
    "train": ("datasketch", "jinja2", "lightgbm", "matplotlib", "orjson", "pandas", "pyarrow", "scipy", "sklearn"),
    "llm": ("accelerate", "datasets", "filelock", "gguf", "huggingface_hub", "peft", "safetensors", "tokenizers",
            "torch", "transformers", "trl"),
    "gpu": ("bitsandbytes",),
    "serve": ("fastapi", "uvicorn"),
    "optuna": ("optuna",),
    "openevolve": ("openevolve",),
    "ray": ("ray",),
}


@contextmanager
def extras_named() -> Iterator[None]:
    """Raise PerfclfError, naming the extra to install, where a missing optional library stops the block."""
    try:
        yield
    except ModuleNotFoundError as error:
        root = (error.name or "").partition(".")[0]
        extra = next((extra for extra, modules in EXTRAS.items() if root in modules), None)
        if extra is None:
            raise
        raise PerfclfError(f"this needs {root}, which is not installed: "
                           f"pip install 'nngpt-perfclf[{extra}]'") from error
