"""Every kind as it is laid out: what the agent reads, what a job gets, and that callers choose nothing of it."""

import configparser
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.compute_endpoints.kinds import FUNCTION_ID, KINDS, NAMES, OTHER_ID, SERVING, Root

ENGINES = {**dict.fromkeys(NAMES, "GlobusComputeEngine"), "status": "ThreadPoolEngine"}
PROVIDERS = {
    "local": "LocalProvider",
    **dict.fromkeys(("pbs", "pbs-multi-node", "batch"), "PBSProProvider"),
    **dict.fromkeys(("slurm", "slurm-multi-node"), "SlurmProvider"),
}
NASTY = """echo "it's 100% {{ 7*7 }} {% set x = 1 %} $((1+1))" '#}' '\\ <&>' \t'ü'\nexport NASTY='a "b" $c'"""


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


@pytest.mark.parametrize("kind", NAMES)
def test_kind_is_what_it_is_called(root: Root, kind: str) -> None:
    installed = root.install(kind)
    assert installed.config == {"display_name": kind, "allowed_functions": [FUNCTION_ID], "heartbeat_period": 30}
    engine = installed.render()["engine"]
    assert engine["type"] == ENGINES[kind]
    assert engine.get("provider", {}).get("type") == PROVIDERS.get(kind)


@pytest.mark.parametrize("kind", NAMES)
def test_callers_choose_nothing(root: Root, kind: str) -> None:
    schema = root.install(kind).schema
    assert (schema["type"], schema["properties"], schema["additionalProperties"]) == ("object", {}, False)


@pytest.mark.parametrize("kind", NAMES)
def test_template_reads_nothing_of_a_caller(root: Root, kind: str) -> None:
    installed = root.install(kind)
    hostile = dict.fromkeys(("setup", "worker_init", "models", "walltime", "requirements", "folder"), '"$(id)"')
    assert installed.render(**hostile) == installed.render()


@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind != "status"])
def test_setup_reaches_the_job_as_it_was_typed(root: Root, kind: str) -> None:
    exports = root.install(kind, f"setup={NASTY}").exports
    assert exports["NASTY"] == 'a "b" $c'
    assert "GLOBUS_COMPUTE_CLIENT_SECRET" not in exports


@pytest.mark.parametrize("kind", SERVING)
def test_job_gets_its_models(root: Root, kind: str) -> None:
    installed = root.install(kind, "options=" + json.dumps(["--it's", '{"a": "$b"}']), "start_s=60")
    serve = json.loads(installed.exports["INFERENCE_SERVE"])
    assert serve["models"] == [{"model": "org/model", "port": 8000}]
    assert serve["options"] == ["--it's", '{"a": "$b"}']
    assert (serve["host"], serve["start_s"], serve["restarts"]) == ("127.0.0.1", 60, 5)
    vllm = ["vllm", "serve", "{source}", "--served-model-name", "{model}", "--host", "{host}", "--port", "{port}"]
    assert serve["command"][-9:] == vllm
    assert installed.exports["INFERENCE_FOLDER"] == str(installed.folder)
    assert installed.exports["INFERENCE_LOG_DIR"] == str(root.folder / "inference-logs")
    assert {"serve.sh", "serve_models.py", "serve_node.py"} <= {path.name for path in installed.folder.iterdir()}


@pytest.mark.parametrize(
    ("kind", "launch"),
    [
        ("pbs-multi-node", ["mpiexec", "-n", "4", "-ppn", "1"]),
        (
            "slurm-multi-node",
            ["srun", "--nodes=4", "--ntasks=4", "--ntasks-per-node=1", "--kill-on-bad-exit=1"],
        ),
    ],
)
def test_model_of_several_nodes_is_launched_on_each(root: Root, kind: str, launch: list[str]) -> None:
    installed = root.install(kind, "nodes=4")
    command = json.loads(installed.exports["INFERENCE_SERVE"])["command"]
    assert command[:-9] == [*launch, "python3", f"{installed.folder}/serve_node.py", "4"]
    assert installed.exports["INFERENCE_HEAD"]
    assert installed.provider["nodes_per_block"] == 4
    assert installed.provider["launcher"] == {"type": "SimpleLauncher"}


@pytest.mark.parametrize("kind", ["pbs", "slurm"])
def test_job_says_what_it_serves_as_the_status_function_reads_it(root: Root, kind: str) -> None:
    names: dict[str, object] = {}
    script = "qstat" if kind == "pbs" else "squeue"
    exec((KINDS.parent / f"compute-functions/{script}_register_function.py").read_text(), names)  # noqa: S102 - as a worker does
    installed = root.install(kind, "models=org/one=8000,org/two=8001", "cluster=polaris")
    parse_notes = names["parse_notes"]
    assert callable(parse_notes)
    assert parse_notes(installed.provider["scheduler_options"]) == {
        "INFERENCE_MODELS": "org/one;org/two" if kind == "pbs" else "org/one,org/two",
        "INFERENCE_API_PORT": "8000;8001" if kind == "pbs" else "8000,8001",
        "INFERENCE_FRAMEWORK": "vllm",
        "INFERENCE_CLUSTER": "polaris",
    }


@pytest.mark.parametrize("scheduler", ["pbs", "slurm"])
def test_job_of_batches_is_no_model(root: Root, scheduler: str) -> None:
    provider = root.install("batch", f"scheduler={scheduler}", "queue=large", "walltime=24:00:00").provider
    assert "INFERENCE_BATCH_ID=unassigned" in provider["scheduler_options"]
    assert provider["partition" if scheduler == "slurm" else "queue"] == "large"
    assert provider["walltime"] == "24:00:00"


def test_values_of_a_scheduler_reach_its_provider(root: Root) -> None:
    settings = ["account=proj", "queue=debug", "select_options=ngpus=4", "cpus_per_node=32", "max_blocks=3"]
    settings += ["scheduler_options=#PBS -l filesystems=home:eagle\n#PBS -k doe", "drain_s=3000", "interface=hsn0"]
    installed = root.install("pbs", *settings)
    engine, provider = installed.render()["engine"], installed.provider
    told = [provider[name] for name in ("account", "queue", "select_options", "cpus_per_node", "max_blocks")]
    assert told == ["proj", "debug", "ngpus=4", 32, 3]
    assert provider["scheduler_options"].endswith("\n#PBS -l filesystems=home:eagle\n#PBS -k doe")
    assert (engine["drain_period"], engine["address"]) == (3000, {"type": "address_by_interface", "ifname": "hsn0"})


def test_status_endpoint_tells_its_function_where_the_logs_are(root: Root) -> None:
    environment = root.install("status", "INFERENCE_CLUSTER=polaris", "INFERENCE_JOB_USERS=svc").environment
    assert environment == {
        "INFERENCE_CLUSTER": "polaris",
        "INFERENCE_HEALTH_CHECK": "off",
        "INFERENCE_JOB_USERS": "svc",
        "INFERENCE_LOG_DIR": root.install("pbs").exports["INFERENCE_LOG_DIR"],
    }


@pytest.mark.parametrize("name", ["sophia-vllm-config-template.yaml", "local-vllm-endpoint.yaml"])
def test_documented_example_leads_to_a_command_that_works(root: Root, name: str) -> None:
    text = (KINDS / name).read_text()
    example = yaml.safe_load(text)
    assert example["allowed_functions"] == []
    shown = re.search(r"python (compute-endpoints/install\.py (?:.*\\\n)*.*)", text)
    assert shown
    command = shown[1].replace("#", "").replace("<vllm-function-uuid>", FUNCTION_ID).replace("<project>", "proj")
    done = subprocess.run(
        ["/bin/bash", "-c", f"{root.python} {command}"],
        cwd=KINDS.parent,
        env={"GLOBUS_COMPUTE_USER_DIR": str(root.folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (root.folder / example["display_name"] / "config.yaml").exists()


def test_readme_names_every_kind_and_every_value() -> None:
    readme = (KINDS / "README.md").read_text()
    for kind in NAMES:
        assert f"## `{kind}`" in readme
        template = (KINDS / kind / "user_config_template.yaml.j2").read_text()
        missing = [
            name
            for name in re.findall(r"^\{%- set (\w+) = .+ %\}$", template, re.MULTILINE)
            if f"`{name}`" not in readme
        ]
        assert missing == []


def test_functions_of_several_uses_may_run(root: Root) -> None:
    installed = root.install("local", f"functions={FUNCTION_ID}, {OTHER_ID}")
    assert installed.config["allowed_functions"] == [FUNCTION_ID, OTHER_ID]


def test_service_runs_the_endpoint_it_is_named_for_with_the_credentials_from_a_file() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's keys are told apart by case
    unit.read(KINDS / "globus-compute-endpoint@.service")
    service = unit["Service"]
    assert service["ExecStart"].endswith("/globus-compute-endpoint start %i")
    assert service["EnvironmentFile"] == "%h/.globus_compute/service-account.env"
    assert (service["Restart"], service["KillMode"], service["UMask"]) == ("always", "mixed", "0077")
    assert unit["Install"]["WantedBy"] == "default.target"
