"""The OpenMP library that llama.cpp's wheel expects of the machine: bare Debian and slim images have none.

A wheel of the model's set carries it under a name of its own (`requirements/model.in`).
"""

import ctypes
import importlib.util
import os
from pathlib import Path

from demo import layout

NAME = "libgomp.so.1"
CARRIER = "pykdtree"


def find_openmp() -> dict[str, str]:
    """What lets a child of ours load the library: nothing where the machine has it, else the way to the carried one."""
    try:
        ctypes.CDLL(NAME)
    except OSError:
        carried = _find_carried()
        return _lead_to(carried) if carried else {}
    return {}


def _find_carried() -> Path | None:
    spec = importlib.util.find_spec(CARRIER)
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parents[1].glob(f"{CARRIER}.libs/libgomp*.so*"), None)


def _lead_to(library: Path) -> dict[str, str]:
    folder = layout.FOLDER / "lib"
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / f"{NAME}.{os.getpid()}"
    staged.unlink(missing_ok=True)
    staged.symlink_to(library)
    staged.replace(folder / NAME)  # another child may be loading it
    earlier = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": f"{folder}:{earlier}" if earlier else str(folder)}
