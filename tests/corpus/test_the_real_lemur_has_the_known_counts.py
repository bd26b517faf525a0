"""nn-dataset 2.1.2 as it is installed: every trial is found, in little memory."""

import json
import os
import subprocess
import sys

GIGABYTE = 1024**2  # in ru_maxrss's unit, KiB


def output_and_peak(command):
    """What a command prints, and the most memory that it took: its own, not that of other children before it."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        told = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return told, used.ru_maxrss


def test_lemur_has_578595_trials_and_reading_them_takes_little_memory(home):
    cold = [sys.executable, "-m", "nngpt_perfclf", "corpus", "--json"]
    told, kibibytes = output_and_peak(cold)
    counts = json.loads(told)
    assert counts["trials"] == 578_595
    assert counts["networks"] == 10_353
    assert counts["networks_with_trials"] == 7_811
    assert (counts["empty_runs"], counts["empty_files"], counts["skipped_files"]) == (2_675, 13_375, 0)
    assert len(counts["tasks"]) == 13
    assert {row["dataset"] for row in counts["tasks"] if row["task"] == "img-classification"} == {
        "celeba-gender", "cifar-10", "cifar-100", "imagenette", "mnist", "places365", "svhn"}
    assert kibibytes < 1.5 * GIGABYTE
    warm = json.loads(subprocess.run(cold, check=True, capture_output=True, text=True).stdout)
    assert {**warm, "seconds": 0} == {**counts, "seconds": 0}
    assert warm["seconds"] < counts["seconds"]
