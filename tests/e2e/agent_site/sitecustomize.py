"""Points an unmodified Globus Compute agent at another web service than the fixed ones.

Python imports this at start-up from `PYTHONPATH`. The SDK knows its addresses by environment name only, so the function
that looks them up is replaced as soon as its module has been loaded, in every process that the agent starts.
"""

import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MODULE = "globus_compute_sdk.sdk._environments"


class PointElsewhere(MetaPathFinder, Loader):
    """Loads the module as usual, then replaces the look-up."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Take charge of that one module, once."""
        del path, target
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        self.real = importlib.util.find_spec(name)
        return importlib.util.spec_from_loader(name, self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's own code, then replace the function."""
        if self.real is None or self.real.loader is None:
            raise ImportError(MODULE)
        self.real.loader.exec_module(module)
        module.__dict__["get_web_service_url"] = get_web_service_url


def get_web_service_url(_environment: str | None = None) -> str:
    """The same address for every environment."""
    return os.environ["GLOBUS_COMPUTE_SERVICE_URL"]


sys.meta_path.insert(0, PointElsewhere())
