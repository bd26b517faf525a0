"""What `models.reading` finds out about products on this machine, remembered in the cache folder.

To find it out takes as long as a few answers. It follows from the machine, the shapes and the code that reads, so no
process needs to find it out again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from nngpt_perfclf.config import home
from nngpt_perfclf.key_value import KeyValueStore
from nngpt_perfclf.models import reading
from nngpt_perfclf.models.device import machine

_WAIT = 30.0  # seconds for another process's writing


def remembered(find: Callable[[], int], shapes: str, asked: tuple[int, ...]) -> int:
    """What `find` finds about a decoder of these `shapes`; it is called where nobody `asked` the same before on this
    machine with as many threads."""
    store = KeyValueStore(home() / "device" / "agreement.sqlite", "agreement", "asked", {"found": "INTEGER"}, _WAIT)
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
