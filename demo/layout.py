"""Where the demo keeps its things: everything under ``.demo/``, nothing in the user's home."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".demo"
LOGS = FOLDER / "logs"
DATA = FOLDER / "data"
HOME = FOLDER / "home"
CLUSTERS = FOLDER / "clusters"
STATE_FILE = FOLDER / "state.json"
LOCK_FILE = FOLDER / "lock"
CATALOGUE_FILE = FOLDER / "catalogue.json"
SHIPPED_CATALOGUE = ROOT / "fixtures" / "demo.json"
COMPUTE_FUNCTIONS = ROOT / "compute-functions"
