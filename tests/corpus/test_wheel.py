"""nn-dataset's wheel gives the same corpus as its files, whatever is damaged in it."""

import json
from zipfile import ZipFile

import pandas as pd
import pytest

from nngpt_perfclf.corpus import describe, load_corpus
from nngpt_perfclf.types import PerfclfError

ALEXNET = "stat/train/img-classification_cifar-10_acc_AlexNet"


def test_the_wheel_and_its_unpacked_files_give_the_same_corpus(lemur, pack, config_for):
    wheel = pack(lemur)
    packed, unpacked = load_corpus(config_for(wheel)), load_corpus(config_for(lemur))
    assert packed.source == str(wheel)
    assert packed.fingerprint == unpacked.fingerprint
    assert packed.codes == unpacked.codes
    pd.testing.assert_frame_equal(packed.trials, unpacked.trials)


@pytest.mark.parametrize(("file", "content"), [
    (f"{ALEXNET}/3.json", b"[]"), (f"{ALEXNET}/2.json", b"[{"), (f"{ALEXNET}/notes.txt", b"[]"),
    ("stat/train/notes/1.json", b"[]"), ("nn/AlexNet.py", b"\xff\xfe"), ("nn/AlexNet.py", b"class Net:\r\n    pass\r"),
    ("nn/README.md", b"no network"), ("stat/README.md", b"no result")])
def test_whatever_a_file_holds_the_counts_are_those_of_the_unpacked_files(lemur, pack, config_for, file, content):
    (lemur / file).parent.mkdir(exist_ok=True)
    (lemur / file).write_bytes(content)
    told = [describe(config_for(place)) for place in (pack(lemur), lemur)]
    assert {**told[0], "source": 0, "seconds": 0} == {**told[1], "source": 0, "seconds": 0}


@pytest.mark.parametrize(("file", "told"), [(f"{ALEXNET}/2.json", "AlexNet/2.json: damaged in the wheel"),
                                            ("nn/AlexNet.py", "nn/AlexNet.py: damaged in the wheel")])
def test_a_file_damaged_in_the_wheel_is_skipped_and_named(lemur, pack, config_for, file, told):
    wheel = pack(lemur)
    with ZipFile(wheel) as archive:
        entry = archive.getinfo(f"ab/nn/{file}")
    content = bytearray(wheel.read_bytes())
    content[entry.header_offset + 30 + len(entry.filename)] ^= 1
    wheel.write_bytes(content)
    skipped = load_corpus(config_for(wheel)).skipped
    assert len(skipped) == 1
    assert told in skipped[0]


def test_a_cut_wheel_is_one_clear_error(lemur, pack, config_for):
    wheel = pack(lemur)
    wheel.write_bytes(wheel.read_bytes()[:-100])
    with pytest.raises(PerfclfError, match="is not a whole wheel"):
        load_corpus(config_for(wheel))


def test_a_wheel_without_results_is_one_clear_error(tmp_path, config_for):
    with ZipFile(tmp_path / "nn_dataset-2.0-py3-none-any.whl", "w") as archive:
        archive.writestr("ab/nn/nn/AlexNet.py", "class Net: pass")
    with pytest.raises(PerfclfError, match="carries no results"):
        load_corpus(config_for(tmp_path / "nn_dataset-2.0-py3-none-any.whl"))


def test_a_wheel_written_anew_is_read_anew(lemur, pack, config_for):
    before = load_corpus(config_for(pack(lemur)))
    file = lemur / ALEXNET / "1.json"
    file.write_text(json.dumps(json.loads(file.read_text())[:1]))
    assert len(load_corpus(config_for(pack(lemur))).trials) == len(before.trials) - 1
