"""Near-duplicate networks: connected components of codes whose token shingles are alike.

MinHash (128 permutations) estimates the Jaccard similarity of the sets of token shingles; locality-sensitive hashing
finds the pairs that are worth comparing. Comments, white space and the numbers' values stand outside the tokens' sense
of alike only as far as they are tokens: comments are dropped, numbers are kept.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nngpt_perfclf.config import home

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

PERMUTATIONS = 128
SHINGLE = 5  # tokens
_FORMAT = 1
_TOKEN = re.compile(r"""#[^\n]*|\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|\w+|[^\w\s]""")


def near_duplicate_groups(codes: Mapping[str, str], similarity: float) -> pd.Series:
    """The group of each network: a Series from network to the group's name, its first network in the alphabet.

    Two networks whose estimated similarity reaches `similarity` (0..1) share a group, and so do networks that are
    joined by a chain of such pairs. The result is cached by the codes' fingerprint.
    """
    import pandas as pd

    file = home() / "groups" / f"{_fingerprint(codes, similarity)}.parquet"
    if not file.is_file():
        _write(_groups(codes, similarity), file)
    return pd.read_parquet(file).set_index("nn")["group"]


def _groups(codes: Mapping[str, str], similarity: float) -> pd.Series:
    import numpy as np
    import pandas as pd
    from datasketch import MinHashLSH
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    from nngpt_perfclf.console import progress

    names = sorted(codes)
    lsh = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS)
    sketches = np.empty((len(names), PERMUTATIONS), np.uint64)
    edges = []
    with progress() as bar:
        for index, name in enumerate(bar.track(names, description="comparing networks' codes")):
            sketch = _sketch(codes[name])
            sketches[index] = sketch.hashvalues
            near = np.array(lsh.query(sketch), dtype=int)
            alike = near[(sketches[near] == sketches[index]).mean(axis=1) >= similarity]
            edges += [(index, other) for other in alike]
            lsh.insert(index, sketch, check_duplication=False)
    first, second = np.array(edges, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(names), len(names)))
    component = connected_components(graph, directed=False)[1]
    table = pd.DataFrame({"nn": names, "component": component})
    return table.groupby("component")["nn"].transform("min").set_axis(table["nn"]).rename("group")


def _sketch(code: str):
    import numpy as np
    from datasketch import MinHash

    sketch = MinHash(num_perm=PERMUTATIONS, hashfunc=int)
    sketch.update_batch(np.unique(_shingles(code)).tolist())
    return sketch


def _shingles(code: str) -> np.ndarray:
    """One 32-bit hash for each run of `SHINGLE` tokens; of all tokens together where there are fewer."""
    import numpy as np
    from pandas.util import hash_array

    tokens = [word for word in _TOKEN.findall(code) if word[0] != "#" and word[:3] not in ('\"\"\"', "'''")]
    if not tokens:
        return np.zeros(1, np.uint64)
    hashes = hash_array(np.array(tokens, dtype=object))
    width = min(SHINGLE, len(hashes))
    mixed = np.zeros(len(hashes) - width + 1, np.uint64)
    for place in range(width):
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + hashes[place:len(hashes) - width + 1 + place]
    return mixed >> np.uint64(32)


def _fingerprint(codes: Mapping[str, str], similarity: float) -> str:
    digest = hashlib.blake2b(f"{_FORMAT} {similarity} {SHINGLE} {PERMUTATIONS}".encode(), digest_size=16)
    for name in sorted(codes):
        digest.update(f"{name}\0{codes[name]}\0".encode())
    return digest.hexdigest()


def _write(groups: pd.Series, file) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, new = tempfile.mkstemp(prefix=".new-", dir=file.parent)
    os.close(descriptor)
    try:
        groups.reset_index().to_parquet(new, index=False)
        os.replace(new, file)
    except BaseException:
        os.unlink(new)
        raise
