"""Where in a candidate's code PyTorch's layers are made and its functions called. Runs in the sandbox.

A loop that makes ten layers is one place: this counts how much is written, where the layers' list counts how much is
built. Only what is executed counts, so that code that never runs changes nothing.
"""

import contextlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator

import torch
from torch.overrides import TorchFunctionMode

CODE = "net.py"
_DEEPEST = 40  # frames between a function of PyTorch and the candidate's code
_MOST, _LONGEST = 400, 60  # names, characters of one


class Sites(TorchFunctionMode):
    """The places of executed layers by class, and of called functions by name."""

    def __init__(self):
        super().__init__()
        self._made: dict[int, tuple] = {}
        self._layers: dict[str, set] = defaultdict(set)
        self._functions: dict[str, set] = defaultdict(set)

    @contextlib.contextmanager
    def watching_construction(self) -> Iterator[None]:
        """Remember where each module is made."""
        original = torch.nn.Module.__init__

        def init(module, *args, **kwargs):
            self._made[id(module)] = _place()
            original(module, *args, **kwargs)

        torch.nn.Module.__init__ = init
        try:
            yield
        finally:
            torch.nn.Module.__init__ = original

    def executed(self, module: torch.nn.Module, kind: str) -> None:
        """A layer was run; `kind`: PyTorch's class."""
        place = self._made.get(id(module))
        if place is not None:
            self._layers[kind].add(place)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if _public(name) and (name in self._functions or len(self._functions) < _MOST):
            place = _place()
            if place is not None:
                self._functions[name].add(place)
        return function(*args, **(kwargs or {}))

    def counts(self) -> Counter:
        """How many places there are: ``made:CLASS`` and ``called:FUNCTION``."""
        return Counter({f"made:{name}": len(places) for name, places in self._layers.items()}
                       | {f"called:{name}": len(places) for name, places in self._functions.items()})


def _public(name: str) -> bool:
    return name.isascii() and name.isidentifier() and not name.startswith("_") and len(name) <= _LONGEST


def _place() -> tuple[str, int] | None:
    """The candidate's innermost frame: its function and the instruction that it is at."""
    frame = sys._getframe(2)
    for _ in range(_DEEPEST):
        if frame is None:
            return None
        if frame.f_code.co_filename == CODE:
            return frame.f_code.co_qualname, frame.f_lasti
        frame = frame.f_back
    return None
