"""A code's vector is the one that scikit-learn gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.code_view.parsing import quiet
from nngpt_perfclf.retrieval.embedding import HASHED, SIZE, CodeEmbedding, murmur3

CODES = [f"class Net{number}:\n def __init__(self):\n  self.conv{number} = nn.Conv2d({number}, 8, {number % 3})\n" * 2
         for number in range(24)]


@given(st.binary(max_size=40))
def test_words_are_hashed_as_scikit_learn_hashes_them(data):
    from sklearn.utils import murmurhash3_32

    assert murmur3(data) == murmurhash3_32(data, seed=0, positive=True)


def test_vectors_are_those_of_its_tfidf():
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    embedding = CodeEmbedding.fit(CODES, 0)
    counts = HashingVectorizer(n_features=HASHED, token_pattern=r"\w+", lowercase=False, norm=None,
                               alternate_sign=False).transform(map(quiet, CODES))
    expected = TfidfTransformer(sublinear_tf=True).fit(counts).transform(counts) @ embedding.components.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert embedding(CODES) == pytest.approx(expected, abs=1e-5)
    assert embedding([]).shape == (0, SIZE)
    assert embedding([""]).tolist() == [[0.0] * SIZE]
