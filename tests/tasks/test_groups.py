"""Codes that differ in little share a group; comments and white space make no difference at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.tasks import groups, near_duplicate_groups

WORDS = st.lists(st.sampled_from(["conv", "relu", "x", "=", "(", ")", "3", "64", ",", "self", "."]), max_size=60)
LONG = [f"layer_{number} = Conv2d({number}, 3)" for number in range(60)]
OTHER = [f"self.block{number} = nn.Sequential(Pool(), Norm())" for number in range(60)]


def test_a_small_edit_keeps_the_group_and_another_network_has_another():
    edited = [*LONG[:30], "extra = 1", *LONG[31:]]
    found = near_duplicate_groups({"b": "\n".join(LONG), "a": "\n".join(edited), "c": "\n".join(OTHER)}, 0.75)
    assert found.to_dict() == {"a": "a", "b": "a", "c": "c"}


def test_a_chain_of_small_edits_is_one_group():
    codes = {f"net{step}": "\n".join([*OTHER[:3 * step], *LONG[3 * step:]]) for step in range(20)}
    assert near_duplicate_groups(codes, 0.75).nunique() == 1


@given(words=WORDS, gaps=st.lists(st.sampled_from([" ", "\n", "  # why\n", "\n'''a\ntext'''\n", '\n"""text"""\n']),
                                  min_size=60, max_size=60))
def test_comments_texts_and_white_space_make_no_difference(words, gaps):
    dressed = "".join(word + gap for word, gap in zip(words, gaps, strict=False))
    assert groups._shingles(dressed).tolist() == groups._shingles(" ".join(words)).tolist()


@given(codes=st.dictionaries(st.text("abc", min_size=1, max_size=3), WORDS.map(" ".join), min_size=1, max_size=8))
def test_the_order_of_the_codes_says_nothing_and_equal_codes_are_always_together(codes):
    found = groups._groups(codes, 0.75)
    backwards = groups._groups(dict(reversed(codes.items())), 0.75)
    assert found.to_dict() == backwards.to_dict()
    assert sorted(found.index) == sorted(codes)
    for group, members in found.groupby(found):
        assert group == min(members.index)
    for nn, code in codes.items():
        assert found[nn] == found[min(other for other, text in codes.items() if text == code)]


@pytest.mark.parametrize("code", ["", "\n", "# only a comment", "x"])
def test_any_text_is_a_code(code):
    assert near_duplicate_groups({"odd": code, "usual": "\n".join(LONG)}, 0.75).nunique() == 2


def test_groups_are_computed_once_for_the_same_codes(monkeypatch):
    codes = {"a": "x = 1"}
    near_duplicate_groups(codes, 0.75)
    monkeypatch.setattr(groups, "_groups", None)
    assert near_duplicate_groups(codes, 0.75).to_dict() == {"a": "a"}
    with pytest.raises(TypeError):
        near_duplicate_groups({"a": "x = 2"}, 0.75)


def test_the_same_tokens_have_the_same_hash_in_every_process():
    assert groups._hash("Conv2d") == 15698269423258428487
