"""The answer is one of two names, told apart where they part, terminator included; a shared prefix changes nothing."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nngpt_perfclf.models.encoder import Encoder
from nngpt_perfclf.models.language import load
from nngpt_perfclf.models.trie import tries_of
from nngpt_perfclf.prompts import Prompt
from nngpt_perfclf.types import PerfclfError

NAMES = ("celeba-gender", "cifar-10", "cifar-100", "imagenette", "mnist", "places365", "svhn")


def prompt(a, b, code="conv3:cin>64\n", lead="lr-2.1 "):
    return Prompt("Which?\n", code, f"{lead}{a} or {b}:\n", (a, b))


def constrained(model, one):
    """Log-odds of the first name when every token is chosen among those that still spell one of the two names."""
    encoder = model.encoder
    start = [*encoder._prefix(one.system, one.prefix), *encoder._text(one.question)]
    names = [encoder._option(option) for option in one.options]
    total = []
    for name in names:
        ids = torch.tensor([[*start, *name]])
        with torch.inference_mode():
            logits = model.network(input_ids=ids).logits[0].double()
        log = 0.0
        for at, token in enumerate(name):
            allowed = sorted({other[at] for other in names if other[:at] == name[:at] and at < len(other)})
            row = logits[len(start) + at - 1]
            log += float(row[token] - torch.logsumexp(row[allowed], 0))
        total.append(log)
    assert np.isclose(np.exp(total).sum(), 1)
    return total[0] - total[1]


@pytest.mark.parametrize("pair", [("cifar-10", "cifar-100"), ("cifar-100", "cifar-10"), ("mnist", "svhn")])
def test_one_token_says_what_the_whole_names_say(tiny, pair):
    one = prompt(*pair)
    assert tiny.score([one])[0] == pytest.approx(constrained(tiny, one), abs=1e-4)


def test_a_prefix_name_is_told_apart_by_the_terminator(tiny):
    asked = tiny.encoder.asked(prompt("cifar-10", "cifar-100"))
    assert tiny.encoder.tokenizer.eos_token_id in (asked.first, asked.second)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(["a", "bb conv", ""])),
                min_size=1, max_size=9))
def test_a_shared_prefix_and_a_full_batch_change_no_score(shared_tiny, questions):
    prompts = [prompt(a, b, code, lead="x" * len(code)) for a, b, code in questions if a != b]
    together = shared_tiny.score(prompts)
    apart = shared_tiny.score(prompts, share=False)
    assert np.abs(together - apart).max(initial=0) < 1e-3


@pytest.fixture(scope="module")
def shared_tiny(tiny_folder):
    return load(tiny_folder, precision="float32")


@pytest.mark.parametrize("words", [30, 150])
def test_a_prefix_longer_than_the_attention_window_changes_no_score(shared_tiny, words):
    code = " ".join(f"conv{at}" for at in range(words)) + "\n"
    prompts = [prompt(a, b, code) for a, b in permutations(NAMES, 2)]
    window = shared_tiny.causal.config.sliding_window
    assert (len(shared_tiny.encoder.asked(prompts[0]).prefix) > window) == (words > 30)
    together = shared_tiny.score(prompts)
    for at in (0, 17, 41):
        assert together[at] == pytest.approx(constrained(shared_tiny, prompts[at]), abs=1e-3)
    assert np.abs(together - shared_tiny.score(prompts, batch_tokens=100)).max() < 1e-3


@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=40), min_size=1, max_size=12))
def test_a_trie_holds_each_shared_beginning_once_and_each_question_whole(questions):
    tries = tries_of(questions)
    assert sorted(place for _, places in tries.values() for place in places) == list(range(len(questions)))
    for width, (trie, places) in tries.items():
        for place, end, row in zip(places, trie.ends, trie.rows, strict=True):
            question = questions[place]
            way = row[:len(question)]
            assert [trie.ids[at] for at in way] == question
            assert [trie.depths[at] for at in way] == list(range(len(question)))
            assert way[-1] == end
            assert len(row) == width
        beginnings = {tuple(questions[place][:end]) for place in places for end in range(1, len(questions[place]) + 1)}
        assert len(trie.ids) == len(beginnings)
        assert all(trie.rows[trie.places[at]][depth] == at for at, depth in enumerate(trie.depths))


def test_spelled_out_special_tokens_stay_text(tiny):
    asked = tiny.encoder.asked(prompt("mnist", "svhn", code="<eos><bos>\n"))
    special = {tiny.encoder.tokenizer.eos_token_id, tiny.encoder.tokenizer.bos_token_id}
    assert special & set(asked.prefix[1:]) == set()


def test_the_same_answer_twice_is_refused(tiny):
    with pytest.raises(PerfclfError, match="same to this model"):
        tiny.encoder.asked(prompt("mnist", "mnist"))


def test_a_chat_model_without_a_template_is_refused(tiny):
    with pytest.raises(PerfclfError, match="no chat template"):
        Encoder(tiny.encoder.tokenizer, chat=True)


def test_a_chat_models_own_words_stand_around_the_users(tiny):
    tokenizer = tiny.encoder.tokenizer
    tokenizer.chat_template = ("{% for turn in messages %}<bos>{{ turn.role }}: {{ turn.content }}<eos>{% endfor %}"
                               "{% if add_generation_prompt %}<bos>assistant: {% endif %}")
    one = prompt("mnist", "svhn")
    ids = Encoder(tokenizer, chat=True).free(one)
    whole = tokenizer.apply_chat_template(
        [{"role": "system", "content": one.system}, {"role": "user", "content": one.prefix + one.question}],
        tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(ids) == whole
    tokenizer.chat_template = None


def test_a_folder_that_is_no_model_is_one_clear_line(tmp_path):
    with pytest.raises(PerfclfError, match="cannot load the model"):
        load(tmp_path)
