"""Node packages for tests, installed once by npm: exactly those that a lock file names."""

import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from devstack.fetch import CACHE


class NodeMissing(Exception):
    """Node.js and npm are needed here: install nodejs and npm (Debian), 18 or newer."""

    def __init__(self) -> None:
        super().__init__(str(self.__doc__))


def installed(source: Path) -> Path:
    """A copy of this folder in the cache with its packages beside it. Raises NodeMissing.

    Its name holds what is in the folder: a changed lock, or a changed program, is another copy.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NodeMissing
    files = sorted(path for path in source.iterdir() if path.is_file())
    digest = sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    place = CACHE / f"node-{source.parent.name}-{digest}"
    if not place.exists():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as made:
            copy = Path(made) / "packages"
            copy.mkdir()
            for path in files:
                shutil.copy(path, copy)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(command, cwd=copy, check=True)
            try:
                copy.rename(place)
            except OSError:  # another run was first
                if not place.exists():
                    raise
    return place
