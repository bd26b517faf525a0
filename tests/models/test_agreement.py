"""What was found out about the products of a model is found out once on a machine."""

import pytest
import torch

from nngpt_perfclf.models import device, language
from nngpt_perfclf.models.device import remembered, shapes_of
from nngpt_perfclf.models.language import load
from nngpt_perfclf.prompts import Prompt
from nngpt_perfclf.types import PerfclfError

PROMPTS = [Prompt("Which?\n", "conv3:cin>64 bn relu\n", f"{recipe} better:\n", ("mnist", "svhn"))
           for recipe in ("", "lr-2")]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def sought(monkeypatch):
    """What was looked for, in order."""
    found = []

    def watch(name):
        search = getattr(language, name)
        monkeypatch.setattr(language, name, lambda decoder, *asked: found.append(name) or search(decoder, *asked))

    watch("agreed_tile")
    watch("attention_agrees")
    return found


def test_a_process_that_is_started_later_does_not_find_it_out_again(tiny_folder, sought):
    answers = load(tiny_folder, precision="float32").score(PROMPTS)
    assert sought == ["agreed_tile", "attention_agrees"]
    assert load(tiny_folder, precision="float32").score(PROMPTS).tolist() == answers.tolist()
    assert len(sought) == 2


def test_another_precision_and_another_number_of_threads_are_other_products(tiny_folder, sought):
    load(tiny_folder, precision="float32").score(PROMPTS[:1])
    model = load(tiny_folder, precision="bfloat16")
    model.score(PROMPTS[:1])
    assert len(sought) == 2
    with language.threads(torch.get_num_threads() + 1):
        model.score(PROMPTS[:1])
    assert len(sought) == 3


def test_what_is_found_is_kept_by_machine_shapes_and_question(monkeypatch):
    assert remembered(lambda: 64, "shapes", ()) == 64
    assert remembered(lambda: 0, "other shapes", ()) == 0
    assert remembered(lambda: 1, "shapes", (64, 32)) == 1
    for shapes, asked, found in (("shapes", (), 64), ("other shapes", (), 0), ("shapes", (64, 32), 1)):
        assert remembered(lambda: pytest.fail("it is known"), shapes, asked) == found
    monkeypatch.setattr(device, "machine", lambda: "another one")
    assert remembered(lambda: 96, "shapes", ()) == 96


def test_the_digest_changes_with_name_shape_precision_and_settings():
    made = [shapes_of([(name, torch.zeros(size, dtype=dtype))], settings)
            for name in "ab" for size in (2, 3) for dtype in (torch.float32, torch.bfloat16) for settings in "xy"]
    assert len(set(made)) == 16
    assert made[0] == shapes_of([("a", torch.ones(2))], "x")


def test_a_damaged_file_is_named(home):
    (home / "device").mkdir()
    (home / "device" / "agreement.sqlite").write_bytes(b"no database, but long enough to be taken for one" * 20)
    with pytest.raises(PerfclfError, match=r"agreement\.sqlite is damaged, delete it"):
        remembered(lambda: 1, "shapes", ())
