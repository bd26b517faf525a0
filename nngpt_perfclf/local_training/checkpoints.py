"""What candidates hand back after an epoch, so that their training can go on from there.

A state is written by the candidate's own process and is not trusted: it is kept as bytes with their checksum, and only
read again by a process of the same candidate in the sandbox.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from nngpt_perfclf.files import whole
from nngpt_perfclf.types import Candidate, PerfclfError

_SUM = 32  # bytes of the checksum in front of the state


@dataclass(frozen=True)
class Checkpoints:
    """One file in `folder` for each candidate, target and epoch that can be gone on from."""

    folder: Path

    def read(self, candidate: Candidate, target: str) -> bytes:
        """The state at the end of the last epoch that the candidate has seen. Raises PerfclfError where it is missing
        or damaged."""
        file = self._file(candidate, target)
        try:
            content = file.read_bytes()
        except FileNotFoundError as error:
            raise PerfclfError(f"no checkpoint of {candidate.name} after epoch {candidate.next_epoch - 1} in "
                               f"{self.folder}: its training cannot go on; give another out=FOLDER") from error
        if hashlib.sha256(content[_SUM:]).digest() != content[:_SUM]:
            raise PerfclfError(f"the checkpoint {file} of {candidate.name} is damaged: give another out=FOLDER")
        return content[_SUM:]

    def write(self, candidate: Candidate, target: str, state: bytes) -> None:
        """Keep the state at the end of the epoch that follows those that the candidate has seen."""
        with whole(self._file(candidate, target, 1)) as new:
            new.write_bytes(hashlib.sha256(state).digest() + state)

    def remove(self, candidate: Candidate, target: str) -> None:
        """Forget what `read` gives."""
        self._file(candidate, target).unlink(missing_ok=True)

    def _file(self, candidate: Candidate, target: str, ahead: int = 0) -> Path:
        identity = repr((target, candidate.name, candidate.arch_code, candidate.recipe))
        epoch = candidate.next_epoch - 1 + ahead
        return self.folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}-{epoch}.state"
