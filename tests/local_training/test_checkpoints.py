from dataclasses import replace

import pytest

from nngpt_perfclf.local_training.checkpoints import Checkpoints
from nngpt_perfclf.types import Candidate, Outcome, PerfclfError, Recipe

NEW = Candidate("net", "class Net: pass", Recipe(lr=0.1))
BEGUN = NEW.after(Outcome("net", "digits", 0.5, 1.0))


def test_what_was_written_after_an_epoch_is_read_by_the_candidate_that_has_seen_it(tmp_path):
    kept = Checkpoints(tmp_path)
    kept.write(NEW, "digits", b"first")
    kept.write(BEGUN, "digits", b"second")
    assert kept.read(BEGUN, "digits") == b"first"
    assert kept.read(BEGUN.after(Outcome("net", "digits", 0.6, 1.0)), "digits") == b"second"
    kept.remove(BEGUN, "digits")
    assert [file.read_bytes()[32:] for file in tmp_path.iterdir()] == [b"second"]


@pytest.mark.parametrize("other", [replace(BEGUN, arch_code="class Net: 1"), replace(BEGUN, name="other"),
                                   replace(BEGUN, recipe=Recipe(lr=0.2))])
def test_no_other_candidate_reads_it(other, tmp_path):
    kept = Checkpoints(tmp_path)
    kept.write(NEW, "digits", b"first")
    with pytest.raises(PerfclfError, match="no checkpoint of"):
        kept.read(other, "digits")
    with pytest.raises(PerfclfError, match="no checkpoint of"):
        kept.read(BEGUN, "shapes")


def test_a_damaged_one_is_refused(tmp_path):
    kept = Checkpoints(tmp_path)
    kept.write(NEW, "digits", b"first")
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(PerfclfError, match="is damaged"):
        kept.read(BEGUN, "digits")
