"""The seed of the test images: drawn once on each installation, and kept where no candidate can read it."""

from __future__ import annotations

import os
import secrets
import zlib

from nngpt_perfclf.config import home
from nngpt_perfclf.types import PerfclfError

FILE = "image-sets.seed"


def secret_seed() -> int:
    """The seed in the cache folder, which is made where there is none; processes that start together get the same.

    Raises PerfclfError where the file is damaged.
    """
    file = home() / FILE
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{FILE}.{secrets.token_hex(8)}.new")
        new.write_bytes(_packed(secrets.token_hex(16)))
        new.chmod(0o600)
        try:
            os.link(new, file)  # unlike a rename, it never replaces what another process has put there
        except FileExistsError:
            pass
        finally:
            new.unlink()
    content = file.read_bytes()
    digits = content.partition(b" ")[0].decode("ascii", "replace")
    if _packed(digits) != content:
        raise PerfclfError(f"{file} is damaged: delete it, and new test images are drawn")
    return int(digits, 16)


def _packed(digits: str) -> bytes:
    """The seed with a checksum."""
    return f"{digits} {zlib.crc32(digits.encode()):08x}\n".encode()
