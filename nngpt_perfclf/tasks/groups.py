"""Near-duplicate networks: connected components of codes with similar token shingles.

MinHash (128 permutations) estimates the Jaccard similarity of two codes' sets of three-token shingles, without comments
and strings in triple quotes; locality-sensitive hashing finds the pairs to compare.

Why 0.75: of the 3,343 networks that have pairs at epoch 1 in nn-dataset 2.1.2, 1,102,510 pairs have a TF-IDF cosine
over 0.9; 20 of these are in different groups. There are 367 groups: a few large ones, since LEMUR's generators vary a
few templates, and small ones with 624 networks that may be held out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from nngpt_perfclf.config import home
from nngpt_perfclf.console import progress
from nngpt_perfclf.files import read_parquet, write_parquet

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

PERMUTATIONS = 128
SHINGLE = 3  # tokens
_FORMAT = 1
# Comments and texts in triple quotes match as empty tokens: only what the group captures counts.
_TOKEN = re.compile(r"""#[^\n]*|\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|(\w+|[^\w\s])""")


def near_duplicate_groups(codes: Mapping[str, str], similarity: float) -> pd.Series:
    """The group of each network: a Series from network to the alphabetically first network of its group.

    Two networks whose estimated similarity reaches `similarity` (0..1) share a group, and so do networks that a chain
    of such pairs connects. The result is cached by the codes' fingerprint.
    """

    file = home() / "groups" / f"{_fingerprint(codes, similarity)}.parquet"
    if not file.is_file():
        groups = _groups(codes, similarity)
        write_parquet(groups.reset_index(), file)
    return read_parquet(file, "table of near-duplicates").set_index("nn")["group"]


def _groups(codes: Mapping[str, str], similarity: float) -> pd.Series:
    import numpy as np
    import pandas as pd
    from datasketch import MinHash, MinHashLSH

    names = sorted(codes)
    blank = MinHash(num_perm=PERMUTATIONS, hashfunc=int)
    seen = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS)
    sketches = np.empty((len(names), PERMUTATIONS), np.uint64)
    group = np.arange(len(names))  # of each network: the index of its group's first network
    with progress() as bar:
        for index, name in enumerate(bar.track(names, description="comparing networks' codes")):
            sketch = blank.copy()
            sketch.update_batch(_shingles(codes[name]).tolist())
            sketches[index] = sketch.hashvalues
            near = np.fromiter(seen.query(sketch), dtype=int)
            similar = near[(sketches[near] == sketches[index]).mean(axis=1) >= similarity]
            merged = np.unique(group[similar])
            if len(merged):
                group[np.isin(group, merged)] = group[index] = merged[0]
            # A network with the same sketch as another one is similar to the same networks.
            if not (sketches[similar] == sketches[index]).all(axis=1).any():
                seen.insert(index, sketch, check_duplication=False)
    return pd.Series(np.array(names, dtype=object)[group], index=pd.Index(names, name="nn"), name="group", dtype="str")


def _shingles(code: str) -> np.ndarray:
    """The set of 32-bit hashes of all runs of `SHINGLE` tokens; shorter codes have one run."""
    import numpy as np

    hashes = np.fromiter(map(_hash, filter(None, _TOKEN.findall(code))), np.uint64)
    width = min(SHINGLE, len(hashes))
    mixed = np.zeros(len(hashes) - width + 1, np.uint64)
    for place in range(width):
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + hashes[place:len(hashes) - width + 1 + place]
    return np.unique(mixed >> np.uint64(32))


@cache
def _hash(token: str) -> int:
    """A hash that, unlike Python's, is the same in every process."""
    import numpy as np
    from pandas.util import hash_array

    return int(hash_array(np.array([token], dtype=object), categorize=False)[0])


def _fingerprint(codes: Mapping[str, str], similarity: float) -> str:
    digest = hashlib.blake2b(f"{_FORMAT} {similarity} {SHINGLE} {PERMUTATIONS}".encode(), digest_size=16)
    for name in sorted(codes):
        digest.update(f"{name}\0{codes[name]}\0".encode())
    return digest.hexdigest()
