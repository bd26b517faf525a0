"""The wheel of nn-dataset 2.1.2: every trial is found, in little memory."""

import json
import subprocess
import sys

import lemur_wheel

GIGABYTE = 1024**2  # in KiB, as /proc tells memory
# The peak of the process itself: ru_maxrss of a child counts the memory of the parent that it was forked from.
READING = """
import re, sys
from nngpt_perfclf.cli import main
status = main(["corpus", "--json"])
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1], file=sys.stderr)
sys.exit(status)
"""


def counts_and_peak():
    """What ``corpus --json`` prints, and the most memory in KiB that its process took."""
    done = subprocess.run([sys.executable, "-c", READING], check=True, capture_output=True, text=True)
    return json.loads(done.stdout), int(done.stderr.split()[-1])


def test_lemur_has_578595_trials_and_reading_them_takes_little_memory(home):
    lemur_wheel.share(home)
    counts, kibibytes = counts_and_peak()
    assert counts["trials"] == 578_595
    assert counts["networks"] == 10_353
    assert counts["networks_with_trials"] == 7_811
    assert (counts["empty_runs"], counts["empty_files"], counts["skipped_files"]) == (2_675, 13_375, 0)
    assert len(counts["tasks"]) == 13
    assert {row["dataset"] for row in counts["tasks"] if row["task"] == "img-classification"} == {
        "celeba-gender", "cifar-10", "cifar-100", "imagenette", "mnist", "places365", "svhn"}
    assert kibibytes < 1.5 * GIGABYTE
    warm, _ = counts_and_peak()
    assert {**warm, "seconds": 0} == {**counts, "seconds": 0}
