"""The installer: refuses what would not work, keeps what an endpoint had."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.compute_endpoints.kinds import FUNCTION_ID, KINDS, Root

FUNCTIONS = f"functions={FUNCTION_ID}"
MODEL = "models=org/model=8000"


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "endpoints")


@pytest.fixture
def installer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The installer's own functions."""
    monkeypatch.syspath_prepend(str(KINDS))
    return importlib.import_module("install")


def test_installed_files_are_their_owner_s_alone(root: Root) -> None:
    folder = root.install("pbs").folder
    assert [path.name for path in (folder, *folder.iterdir()) if path.stat().st_mode & 0o077] == []
    assert sorted(path.name for path in root.folder.iterdir()) == ["inference-logs", "pbs"]


def test_output_says_what_comes_next(root: Root) -> None:
    output = root.install("local").output
    assert "globus-compute-endpoint start local" in output
    assert "org/model: 8000" in output


def test_existing_endpoint_is_left_alone(root: Root) -> None:
    folder = root.install("pbs", "account=mine").folder
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = root.run("pbs", "pbs", f"--set={FUNCTIONS}", f"--set={MODEL}")
    assert done.returncode == 1
    assert "exists: choose another name, or --force" in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_force_keeps_values_and_registration(root: Root) -> None:
    folder = root.install("pbs", "account=mine", "walltime=02:00:00", "HTTPS_PROXY=http://proxy:3128").folder
    (folder / "endpoint.json").write_text("{}")
    again = root.install("pbs", "walltime=03:00:00", force=True)
    assert (again.provider["account"], again.provider["walltime"]) == ("mine", "03:00:00")
    assert again.config["allowed_functions"] == [FUNCTION_ID]
    assert again.environment == {"HTTPS_PROXY": "http://proxy:3128"}
    assert (folder / "endpoint.json").read_text() == "{}"


def test_endpoint_of_the_old_form_gets_its_files_by_force(root: Root) -> None:
    folder = root.folder / "pbs"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("display_name: old\nengine:\n  type: GlobusComputeEngine\n")
    done = root.run("pbs", "pbs", "--force", f"--set={FUNCTIONS}", f"--set={MODEL}")
    assert done.returncode == 0, done.stderr
    assert "engine" not in (folder / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("kind", "setting", "why"),
    [
        ("pbs", "functions=", "functions is not set"),
        ("pbs", "functions=<vllm-function-uuid>", "<vllm-function-uuid> is no UUID"),
        ("pbs", "models=", "models must name 1 to 64 models"),
        ("pbs-multi-node", "models=a=1,b=2", "models must name one model"),
        ("pbs", "models=a=8000,b=8000", "each needs a port of its own"),
        ("pbs", "models=a=8000,a=8001", "each needs a model of its own"),
        ("pbs", "models=a=70000", "70000 is no port"),
        ("pbs", "models=a=http", "http is no port"),
        ("pbs", 'models=[{"model": "a;b", "port": 1}]', "a;b is no model's name"),
        ("pbs", 'models=[{"model": "a\\nb", "port": 1}]', "is no model's name"),
        ("pbs", 'models=[{"model": "a"}]', "needs model and port"),
        (
            "pbs",
            'models=[{"model": "a", "port": 1, "sauce": ""}]',
            "may have environment, model, options, port, source",
        ),
        ("pbs", 'models=[{"model": "a", "port": true}]', "port of a is not what it must be"),
        ("pbs", 'models=[{"model": "a", "port": 1, "environment": {"HF_TOKEN": "x"}}]', "HF_TOKEN is a secret"),
        ("pbs", 'options=["--api-key", "x"]', "--api-key is a secret"),
        ("pbs", 'options=["--host=0.0.0.0"]', "--host is set by host"),
        ("pbs", "options=--max-model-len 8", "options must be a JSON list"),
        ("pbs", 'command=["vllm", "serve"]', "{port}"),
        ("pbs", "walltime=1h", "walltime must be HH:MM:SS"),
        ("pbs", "account=a\n#PBS -W x", "account must be a plain word"),
        ("pbs", "queue=a;id", "queue must be a plain word"),
        ("pbs", "select_options=ngpus=4 -W", "select_options must be resources"),
        ("pbs", "scheduler_options=rm -rf /", "scheduler_options must be lines that begin with #PBS"),
        ("pbs", "cluster=it's", "cluster must be a plain word"),
        ("pbs", "log_dir=logs", "log_dir must be an absolute path"),
        ("pbs", "log_dir=/a b", "log_dir must be an absolute path"),
        ("pbs", "workers=many", "workers must be a whole number"),
        ("pbs", "workers=0", "workers must be at least 1"),
        ("pbs", "idle_s=-1", "idle_s must be at least 0"),
        ("slurm", "exclusive=perhaps", "exclusive must be true or false"),
        ("batch", "scheduler=lsf", "scheduler must be pbs or slurm"),
        ("pbs", "wall=1", "a pbs endpoint has functions, models,"),
        ("pbs", "walltime", "a pbs endpoint has functions, models,"),
        ("status", "models=a", "a status endpoint has functions, workers"),
    ],
)
def test_what_would_not_work_is_refused(installer: ModuleType, kind: str, setting: str, why: str) -> None:
    models = [MODEL] if kind not in {"batch", "status"} else []
    with pytest.raises(installer.Unusable, match=re.escape(why)):
        installer.make_plan(kind, Path("/nonexistent/refused"), [FUNCTIONS, *models, setting])


def test_refusal_is_told_and_nothing_is_written(root: Root) -> None:
    done = root.run("pbs", "refused", f"--set={FUNCTIONS}", f"--set={MODEL}", "--set=queue=a;id")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "install.py: queue must be a plain word, not a;id\n"
    assert not root.folder.exists()


@pytest.mark.parametrize("name", ["../elsewhere", "a b", ".hidden", ""])
def test_name_that_leads_elsewhere_is_refused(root: Root, name: str) -> None:
    done = root.run("pbs", name, f"--set={FUNCTIONS}", f"--set={MODEL}")
    assert done.returncode == 1
    assert "is no name" in done.stderr


def test_unknown_kind_names_those_there_are(root: Root) -> None:
    done = root.run("lsf", "name")
    assert done.returncode == 2
    assert "slurm-multi-node" in done.stderr


def test_folder_that_cannot_be_read_is_named(root: Root) -> None:
    folder = root.install("pbs").folder
    (folder / "config.yaml").write_text("display_name: [")
    done = root.run("pbs", "pbs", "--force")
    assert done.returncode == 1
    assert f"{folder} cannot be read" in done.stderr
