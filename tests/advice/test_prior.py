import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.advice.prior import FILE, PairPrior, load_prior, save_priors
from nngpt_perfclf.types import PerfclfError

names = st.sampled_from("abc")
pair = st.tuples(names, names, st.booleans()).filter(lambda pair: pair[0] != pair[1])
pairs = st.lists(pair, min_size=1, max_size=30)


def table_of(pairs):
    return pd.DataFrame([{"ds_a": a, "ds_b": b, "better": a if first else b} for a, b, first in pairs])


@given(pairs, names, names)
def test_it_counts_who_won_whichever_side_is_named_first(pairs, ds_a, ds_b):
    prior = PairPrior.fit(table_of(pairs))
    assert prior == PairPrior.fit(table_of([(b, a, not first) for a, b, first in pairs]))
    if ds_a != ds_b:
        won = sum((a if first else b, b if first else a) == (ds_a, ds_b) for a, b, first in pairs)
        assert prior.count(ds_a, ds_b) == sum({a, b} == {ds_a, ds_b} for a, b, _ in pairs)
        assert prior(ds_a, ds_b) == pytest.approx((won + 1) / (prior.count(ds_a, ds_b) + 2))
        assert prior(ds_a, ds_b) + prior(ds_b, ds_a) == pytest.approx(1)
        assert prior.log_odds(ds_a, ds_b) == -prior.log_odds(ds_b, ds_a)


def test_a_pair_that_was_never_seen_is_even():
    assert (PairPrior()("a", "b"), PairPrior().log_odds("a", "b"), PairPrior().count("a", "b")) == (0.5, 0, 0)


def test_it_knows_the_datasets_that_it_learned_from():
    assert PairPrior({("a", "b"): 2, ("c", "a"): 1}).datasets == {"a", "b", "c"}


def test_priors_come_back_as_they_were_written_from_the_run_or_the_folder_above(tmp_path):
    saved = {"rank": PairPrior({("a", "b"): 2, ("b", "a"): 1}), "normalized": PairPrior({("a", "b"): 5})}
    save_priors(saved, tmp_path)
    (tmp_path / "run").mkdir()
    for label, prior in saved.items():
        assert load_prior(tmp_path, label) == load_prior(tmp_path / "run", label) == prior
    save_priors({"rank": PairPrior({("c", "d"): 1})}, tmp_path / "run")
    assert load_prior(tmp_path / "run", "rank").datasets == {"c", "d"}


@pytest.mark.parametrize(("content", "complaint"), [
    (None, r"no prior\.json"), ({"normalized": {}}, "not trained for label=rank, only for normalized"),
    ({}, "only for none"), ({"rank": [1]}, "not a file of pair priors"), ({"rank": {"a": {"b": "x"}}}, "pair priors"),
    ({"rank": {"a": None}}, "pair priors")])
def test_a_missing_or_damaged_file_is_one_clear_error(tmp_path, content, complaint):
    if content is not None:
        (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(PerfclfError, match=complaint):
        load_prior(tmp_path / "run" if content is None else tmp_path, "rank")
