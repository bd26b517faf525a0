"""Precision is what the machine computes fast, measured once and remembered; any value can be forced."""

import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.models import device
from nngpt_perfclf.types import PerfclfError


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """A machine without a GPU, with given rates and an empty cache folder; counts how often it is measured."""
    monkeypatch.setattr(device, "device_type", lambda: "cpu")
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path))
    calls = []

    def set_rates(single: float, half: float) -> list:
        monkeypatch.setattr(device, "measure_rates", lambda: calls.append(1) or device.Rates(single, half))
        return calls

    return set_rates


@pytest.mark.parametrize(("single", "half", "fast"), [(58, 0.8, "float32"), (190, 410, "bfloat16"),
                                                      (100, 101, "float32")])
def test_the_faster_precision_is_chosen(measured, single, half, fast):
    measured(single, half)
    assert device.resolve("auto") == fast


def test_a_machine_is_measured_once(measured):
    calls = measured(58, 0.8)
    assert [device.resolve("auto") for _ in range(3)] == ["float32"] * 3
    assert len(calls) == 1


def test_another_instruction_set_is_another_machine(measured, monkeypatch):
    calls = measured(58, 0.8)
    device.resolve("auto")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    device.resolve("auto")
    assert len(calls) == 2


def test_a_forced_precision_is_not_measured(measured):
    calls = measured(58, 0.8)
    assert device.resolve("bfloat16") == "bfloat16"
    assert not calls


def test_a_gpu_is_asked(measured, monkeypatch):
    measured(1, 0)
    monkeypatch.setattr(device, "device_type", lambda: "cuda")
    monkeypatch.setattr(device.torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert device.resolve("auto") == "bfloat16"


def test_this_machine_has_rates():
    found = device.measure_rates()
    assert found.float32 > 0
    assert found.bfloat16 > 0


def test_an_unknown_precision_is_refused():
    with pytest.raises(PerfclfError, match=r"train\.precision"):
        load_config(overrides=["train.precision=float8"])
