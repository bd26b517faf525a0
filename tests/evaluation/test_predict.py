"""Predictions of an adviser, also in shards that a killed run leaves behind."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_predictions import LengthAdviser, pairs_and_codes

from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.evaluation.predict import SHARD, predict, predict_in_shards
from nngpt_perfclf.types import Question

TESTS = Path(__file__).parents[1]


def world(networks=60):
    pairs, codes = pairs_and_codes(networks)
    prior = PairPrior.fit(pairs)
    return LengthAdviser("length", prior, {}), pairs, codes, prior


def test_predictions_keep_the_rows_and_give_both_orders_in_log_odds_of_side_a():
    adviser, pairs, codes, prior = world(5)
    found = predict(adviser, pairs, codes, prior)
    pd.testing.assert_frame_equal(found[pairs.columns], pairs)
    first = found.iloc[0]
    ab, ba = (len(codes[first.nn]) / 9 - len(name) / 4 for name in (first.ds_a, first.ds_b))
    assert (first.logit_ab, first.logit_ba) == pytest.approx((ab, -ba))
    assert first.p_a == pytest.approx(1 / (1 + np.exp(-(ab - ba) / 2)))
    assert first.prior_a == prior(first.ds_a, first.ds_b)


def test_the_adviser_is_asked_the_question_that_the_view_gives():
    adviser, pairs, codes, prior = world(3)
    longer = predict(adviser, pairs, {nn: code * 2 for nn, code in codes.items()}, prior)
    viewed = predict(adviser, pairs, codes, prior,
                     lambda asked: Question(asked.arch_code * 2, asked.ds_a, asked.ds_b, epoch=asked.epoch))
    assert viewed["logit_ab"].tolist() == longer["logit_ab"].tolist()


def test_shards_change_no_answer_and_lose_no_pair(tmp_path):
    adviser, pairs, codes, prior = world()
    whole = predict(adviser, pairs, codes, prior)
    sharded = predict_in_shards(adviser, pairs, codes, tmp_path, prior)
    assert len(list(tmp_path.glob("*.parquet"))) > 1
    keys = ["nn", "ds_a", "ds_b"]
    sharded, whole = (table.sort_values(keys, ignore_index=True) for table in (sharded, whole))
    pd.testing.assert_frame_equal(sharded, whole)


def test_a_shard_ends_with_the_last_pair_of_a_network(tmp_path):
    predict_in_shards(*world()[:3], tmp_path, world()[3])
    shards = [set(pd.read_parquet(file)["nn"]) for file in tmp_path.glob("*.parquet")]
    assert sum(map(len, shards)) == len(set().union(*shards)) == 60


def test_a_killed_evaluation_continues_with_the_pairs_that_have_no_shard(tmp_path):
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[1])
        from made_predictions import LengthAdviser, pairs_and_codes
        from nngpt_perfclf.advice.prior import PairPrior
        from nngpt_perfclf.evaluation.predict import SHARD, predict_in_shards

        class Dying(LengthAdviser):
            def evidence(self, questions):
                if self.asked > 2 * SHARD:
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().evidence(questions)

        pairs, codes = pairs_and_codes()
        prior = PairPrior.fit(pairs)
        predict_in_shards(Dying("dying", prior, {}), pairs, codes, Path(sys.argv[2]), prior)
    """)
    died = subprocess.run([sys.executable, "-c", script, TESTS, tmp_path], check=False)
    assert died.returncode == -signal.SIGKILL
    done = sum(len(pd.read_parquet(file)) for file in tmp_path.glob("*.parquet"))
    assert done >= SHARD
    adviser, pairs, codes, prior = world()
    predict_in_shards(adviser, pairs, codes, tmp_path, prior)
    assert adviser.asked == 2 * (len(pairs) - done)
