"""nn-dataset's wheel as set-up leaves it in the cache folder: tests read from it what they need."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from zipfile import ZipFile

from nngpt_perfclf.config import home

CACHE = home()  # of the user, whatever cache folder a test takes later
WHEELS = CACHE / "wheels"


@cache
def archive() -> ZipFile:
    found = sorted(WHEELS.glob("nn_dataset-*.whl"))
    assert found, f"no wheel of nn-dataset in {WHEELS}: `make setup` fetches it"
    return ZipFile(found[-1])


class Texts(Mapping[str, str]):
    """The Python files of one folder of the wheel by name, such as the networks' codes in `ab/nn/nn`."""

    def __init__(self, folder: str):
        self.folder = folder
        places = [name.rpartition("/") for name in archive().namelist() if name.endswith(".py")]
        self.names = sorted(name.removesuffix(".py") for place, _, name in places
                            if place == folder and name != "__init__.py")

    def __getitem__(self, name: str) -> str:
        # As a text file is read: every line ends in a bare newline.
        return archive().read(f"{self.folder}/{name}.py").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def share(cache_folder: Path) -> None:
    """Let another cache folder find the wheel."""
    cache_folder.mkdir(parents=True, exist_ok=True)
    (cache_folder / "wheels").symlink_to(WHEELS)
