"""A network's code as a point: hashed words, weighted by TF-IDF and projected. Asking needs no scikit-learn, which
takes longer to import than an answer takes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nngpt_perfclf.code_view.parsing import quiet

SIZE = 16  # of a code's vector
HASHED = 4096
_WORD_PATTERN = r"\w+"
_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class CodeEmbedding:
    """`idf` (4096,): weights of the hashed words; `components` (16, 4096): of the projection."""

    idf: np.ndarray
    components: np.ndarray

    @staticmethod
    def fit(codes: Sequence[str], seed: int) -> CodeEmbedding:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

        hashing = HashingVectorizer(n_features=HASHED, token_pattern=_WORD_PATTERN, lowercase=False, norm=None,
                                    alternate_sign=False, dtype=np.float32)
        counts = hashing.transform(map(quiet, codes))
        tfidf = TfidfTransformer(sublinear_tf=True).fit(counts)
        svd = TruncatedSVD(min(SIZE, len(codes)), random_state=seed).fit(tfidf.transform(counts))
        components = np.zeros((SIZE, HASHED), np.float16)  # fewer codes than components leave some at zero
        components[:len(svd.components_)] = svd.components_
        return CodeEmbedding(tfidf.idf_, components)

    def __call__(self, codes: Sequence[str]) -> np.ndarray:
        """Unit vectors, shape (n, 16); each depends on its code alone."""
        return np.array([self._vector(code) for code in codes]).reshape(-1, SIZE)

    def _vector(self, code: str) -> np.ndarray:
        counts = Counter(map(_place, re.findall(_WORD_PATTERN, quiet(code))))
        places = sorted(counts)
        weights = (np.log([counts[place] for place in places]) + 1.0) * self.idf[places]
        vector = self.components[:, places].astype(np.float64) @ weights
        return vector / max(np.linalg.norm(vector), 1e-9)


@lru_cache(1 << 16)
def _place(word: str) -> int:
    """The word's place among the hashed ones, as scikit-learn's HashingVectorizer gives it."""
    signed = murmur3(word.encode("utf-8", "surrogatepass"))
    return abs(signed - (1 << 32) if signed >> 31 else signed) % HASHED


def murmur3(data: bytes, seed: int = 0) -> int:
    """MurmurHash3 (x86, 32 bit) of Austin Appleby."""
    value = seed
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        value ^= _mixed(int.from_bytes(data[start:start + 4], "little"))
        value = (_rotated(value, 13) * 5 + 0xE6546B64) & _MASK
    if whole < len(data):
        value ^= _mixed(int.from_bytes(data[whole:], "little"))
    value ^= len(data)
    value = ((value ^ value >> 16) * 0x85EBCA6B) & _MASK
    value = ((value ^ value >> 13) * 0xC2B2AE35) & _MASK
    return value ^ value >> 16


def _mixed(word: int) -> int:
    return (_rotated(word * 0xCC9E2D51 & _MASK, 15) * 0x1B873593) & _MASK


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _MASK
