import pytest

from nngpt_perfclf.sandbox import seccomp


def test_a_machine_whose_calls_are_unknown_runs_nothing():
    with pytest.raises(OSError, match="no seccomp filter for riscv64"):
        seccomp.filter_program("riscv64")


def test_both_known_machines_have_a_filter():
    for machine in seccomp.ARCHITECTURES:
        program = seccomp.filter_program(machine)
        assert len(program) % 8 == 0
        assert len(program) // 8 < 4096  # the kernel's limit
