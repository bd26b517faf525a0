"""The gate's rules: who passes, what is remembered, what is said."""

import logging
import pickle
import sqlite3

import numpy as np
import pytest
from made_scorers import ByRate, Raising, Saying, Undecided, a_score, candidate

import nngpt_perfclf
from nngpt_perfclf.gate.decision import key_of, uniform
from nngpt_perfclf.gate.gate import Gate
from nngpt_perfclf.gate.threshold import Settings, let_through
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Recipe


def stream(count, seed=0):
    return [candidate(float(score), place) for place, score in enumerate(np.random.default_rng(seed).random(count))]


def gate(**options):
    return Gate("svhn", **{"adviser": ByRate(), **options})


def test_the_package_offers_it():
    assert nngpt_perfclf.Gate is Gate
    assert nngpt_perfclf.Decision(True, None, None, "").train


def test_its_decisions_are_those_of_the_streaming_threshold():
    candidates = stream(150)
    scores = np.array([[one.recipe.lr for one in candidates]])
    ties = np.array([[uniform(7, "svhn", key_of(one)) for one in candidates]])
    decided = [gate_.should_train(one).train for gate_ in [gate(keep=0.3, seed=7)] for one in candidates]
    assert decided == let_through(scores, ties, Settings(0.3))[0].tolist()


def test_deciding_on_many_at_once_is_deciding_one_after_the_other():
    candidates = stream(60)
    one_by_one = gate(keep=0.4)
    assert gate(keep=0.4).decide(candidates) == [one_by_one.should_train(one) for one in candidates]


def test_the_first_few_pass_and_then_the_best():
    decided = gate().decide([*stream(50), candidate(5.0, 98), candidate(-5.0, 99)])
    assert all("first 4" in one.reason for one in decided[:4])
    assert (decided[-2].train, decided[-1].train) == (True, False)
    assert decided[-1].score == -5.0 < decided[-1].threshold
    assert "is below the threshold" in decided[-1].reason


def test_the_same_code_and_recipe_get_the_same_decision_whatever_they_are_called():
    one = gate()
    one.decide(stream(30))
    first = one.should_train(candidate(0.4, 99))
    one.decide(stream(30, seed=1))
    again = Candidate("another name", candidate(0.4, 99).arch_code, Recipe(lr=0.4))
    assert one.should_train(again) == first
    assert one.decide([again, again]) == [first, first]
    assert one.state.decided == 61


def test_what_nobody_is_sure_of_is_trained_and_takes_no_place():
    for adviser in (Undecided(), Saying([None])):
        one = gate(adviser=adviser, keep=0.1)
        assert all(one.should_train(network).train for network in stream(20))
        assert (one.state.undecided, one.state.decided) == (20, 0)


@pytest.mark.parametrize("adviser", [Raising(), Saying(None), Saying("rubbish"), Saying([]), Saying([1, 2]),
                                     Saying([a_score(float("nan"))]), Saying([0.7]), Saying(["high"])])
def test_an_adviser_that_fails_costs_its_opinion_and_no_candidate(adviser, caplog):
    decided = gate(adviser=adviser, keep=0.1).should_train(candidate(0.5))
    assert decided.train
    assert decided.reason.startswith("undecided")
    assert "\n" not in decided.reason


def test_a_wrong_configuration_is_the_users_to_repair():
    class Refusing:
        def score(self, candidates, target):
            raise PerfclfError("unknown dataset")

    with pytest.raises(PerfclfError, match="unknown dataset"):
        gate(adviser=Refusing()).should_train(candidate(0.5))


def test_broken_candidates_are_never_trained():
    decided = gate(adviser=Undecided()).decide([Candidate("a", "def f(:"), Candidate("b", "x = 1"), candidate(0.1)])
    assert [one.train for one in decided] == [False, False, True]
    assert all(one.reason.startswith("broken: ") for one in decided[:2])


def test_code_with_lone_surrogates_is_decided_on_and_reported(tmp_path):
    odd = Candidate("n\ud800", candidate(0.1).arch_code + "# \ud800", Recipe(lr=0.1))
    with gate(file=tmp_path / "gate.sqlite") as one:
        first = one.should_train(odd)
        one.report(odd, 0.5)
        assert one.should_train(odd) == first
        assert one.record.observations("svhn")[0].candidate.arch_code == odd.arch_code


def test_a_file_keeps_decisions_and_outcomes(tmp_path):
    candidates = stream(40)
    with gate(file=tmp_path / "deep" / "gate.sqlite") as one:
        first = one.decide(candidates)
        one.report(candidates[0], 0.75)
    with gate(file=tmp_path / "deep" / "gate.sqlite") as two:
        assert two.decide(candidates) == first
        assert [(seen.candidate.name, seen.accuracy) for seen in two.record.observations("svhn")] == [("net-0", 0.75)]
        whole = gate()
        assert two.decide(stream(10, seed=1)) == whole.decide([*candidates, *stream(10, seed=1)])[40:]


def test_targets_and_advisers_share_a_file_but_no_threshold(tmp_path):
    file = tmp_path / "gate.sqlite"
    gate(file=file).decide(stream(30))
    other = Gate("mnist", adviser=ByRate(), file=file)
    assert "first" in other.should_train(candidate(-9.0, 99)).reason

    class Another(ByRate):
        pass

    assert "first" in Gate("svhn", adviser=Another(), file=file).should_train(candidate(-9.0, 99)).reason


def test_a_gate_goes_to_another_process_by_its_file_alone(tmp_path):
    one = gate(file=tmp_path / "gate.sqlite")
    first = one.decide(stream(10))
    assert pickle.loads(pickle.dumps(one)).decide(stream(10)) == first
    with pytest.raises(PerfclfError, match="give it file="):
        pickle.dumps(gate())


def test_it_warns_when_its_scores_say_nothing_any_more(caplog):
    one, rng = gate(keep=0.9), np.random.default_rng(1)
    for network in stream(120):
        if one.should_train(network).train:
            one.report(network, float(np.clip(network.recipe.lr, 0, 1)))
    assert one.state.warning == ""
    assert one.state.hit_rate == 1.0
    with caplog.at_level(logging.WARNING):
        for network in stream(120, seed=1):
            if one.should_train(network).train:
                one.report(network, float(rng.random()))
    warned = [record for record in caplog.records if "gate for svhn" in record.message]
    assert warned
    assert one.state.hit_rate < 0.8
    assert "warning: " in one.should_train(candidate(0.5, 999)).reason


def test_the_random_share_is_let_through_and_said_to_be():
    decided = gate(keep=0.05).decide(stream(400))
    explored = [one for one in decided if "whatever their score" in one.reason]
    assert 2 <= len(explored) <= 20
    assert any(one.score < one.threshold for one in explored)
    other = gate(keep=0.05, seed=1).decide(stream(400))
    assert [one.reason for one in other] != [one.reason for one in decided]


def test_outcomes_that_are_given_correct_the_scores_and_make_them_those_of_another_adviser(monkeypatch, tmp_path):
    told = []

    class Corrected:
        def score(self, candidates, target):
            return [a_score(0.25) for _ in candidates]

    def informed(scorer, observations, config):
        told.append(observations)
        return Corrected()

    monkeypatch.setattr("nngpt_perfclf.advice.scorers.informed", informed)
    seen = [Observation(candidate(0.2, 5), 0.5)]
    plain = gate(file=tmp_path / "gate.sqlite")
    for _ in range(2):
        one = gate(outcomes=seen, file=tmp_path / "gate.sqlite")
        assert one.should_train(candidate(0.9, 1)).score == 0.25
        one.report(candidate(0.9, 1), 0.7)
    assert told == [{"svhn": seen}] * 2
    assert one.adviser.startswith(f"{plain.adviser} after 1 outcomes")
    assert plain.should_train(candidate(0.4, 2)).score == 0.4
    assert {seen.accuracy for seen in one.observations} == {0.5, 0.7}


def test_a_failed_training_and_one_that_was_never_asked_about_are_taken():
    one = gate(outcomes=[Observation(candidate(0.2, 5), 0.5)])
    one.report(candidate(0.3, 6), None)
    assert [seen.accuracy for seen in one.observations] == [0.5]
    assert one.state.outcomes == 0


@pytest.mark.parametrize("accuracy", [87, 1.01, -0.1, float("nan"), float("inf"), "0.5", True, [0.5]])
def test_a_number_that_is_no_accuracy_is_refused(accuracy):
    with pytest.raises(PerfclfError, match="must be a number in"):
        gate().report(candidate(0.5), accuracy)


def test_a_report_reads_no_more_than_the_latest_outcomes(monkeypatch):
    monkeypatch.setattr("nngpt_perfclf.gate.record.LOOKED_BACK", 3)
    one = gate()
    for place, accuracy in enumerate([0.1, 0.2, 0.3, 0.4]):
        one.should_train(candidate(0.5, place))
        one.report(candidate(0.5, place), accuracy)
    assert one.record.scored_outcomes("svhn", one.adviser)[1].tolist() == [0.2, 0.3, 0.4]
    assert one.state.outcomes == 4


def test_the_last_report_counts():
    one = gate()
    one.decide([candidate(0.5)])
    for accuracy in (0.2, 0.2, 0.3):
        one.report(candidate(0.5), accuracy)
    assert [seen.accuracy for seen in one.record.observations("svhn")] == [0.3]


def test_files_that_are_no_gates_are_refused_by_name(tmp_path):
    text, other, damaged = (tmp_path / name for name in ("text", "other.sqlite", "damaged.sqlite"))
    text.write_text("no database at all, but long enough to be looked at" * 20)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE decision (x)")
    with gate(file=damaged) as one:
        one.decide(stream(200))
    with sqlite3.connect(damaged) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(damaged.read_bytes())
    content[4096:4600] = bytes(504)
    damaged.write_bytes(content)
    for file in (text, other, damaged):
        with pytest.raises(PerfclfError, match=file.name):
            gate(file=file)


def test_a_file_of_another_version_is_refused(tmp_path):
    gate(file=tmp_path / "gate.sqlite").close()
    with sqlite3.connect(tmp_path / "gate.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(PerfclfError, match="another version"):
        gate(file=tmp_path / "gate.sqlite")
