"""Lays out a compute endpoint that serves models: ``python install.py KIND NAME [--set KEY=VALUE ...]``.

Run it with the Python of the environment in which globus-compute-endpoint is installed, on the machine where the
endpoint will run. It writes `$GLOBUS_COMPUTE_USER_DIR` (~/.globus_compute by default) and NAME, after the agent's own
code has read the result, and says what to do next. README.md, beside it, says what the kinds and their values are.

    python install.py pbs sophia-vllm --set functions=UUID --set models=meta-llama/Llama-3.1-8B-Instruct=8000 \
        --set account=datascience --set queue=by-node --set setup='source ~/vllm/bin/activate'
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import jinja2.sandbox
import yaml
from values import Unusable, check_values, parse_functions, parse_value, read_values, write_values

HERE = Path(__file__).resolve().parent
KINDS = ("local", "pbs", "slurm", "pbs-multi-node", "slurm-multi-node", "batch", "status")
CONFIG, TEMPLATE, SCHEMA = "config.yaml", "user_config_template.yaml.j2", "user_config_schema.json"
ENVIRONMENT = "user_environment.yaml"
PROGRAMS = ("serve.sh", "serve_models.py", "serve_node.py")
LOGS = "inference-logs"


class Plan(NamedTuple):
    """What an endpoint is to be: ids of functions, values of the template, variables of the environment."""

    functions: list[str]
    values: dict[str, Any]
    environment: dict[str, str]


def main() -> int:
    """Returns 0, or 1 after printing what is wrong."""
    arguments = parse_arguments()
    root = Path(os.environ.get("GLOBUS_COMPUTE_USER_DIR") or "~/.globus_compute").expanduser().absolute()
    folder = root / arguments.name
    try:
        check_place(root, arguments.name, may_exist=arguments.force)
        plan = make_plan(arguments.kind, folder, arguments.set)
        is_checked = install(arguments.kind, folder, plan)
    except (Unusable, OSError) as exc:
        print(f"install.py: {exc}", file=sys.stderr)
        return 1
    print_next(arguments.name, folder, plan, is_checked=is_checked)
    return 0


def parse_arguments() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description="Lay out a compute endpoint that serves models.")
    parser.add_argument("kind", choices=KINDS, help="what it is for; README.md describes each")
    parser.add_argument("name", help="the endpoint's name, as globus-compute-endpoint is given it")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="functions (UUIDs that may run), a value of the kind, or in capital letters a variable of its environment",
    )
    parser.add_argument("--force", action="store_true", help="replace an endpoint's files; values not set again stay")
    return parser.parse_args()


def check_place(root: Path, name: str, *, may_exist: bool) -> None:
    """Raises `Unusable`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise Unusable(f"{name} is no name: use letters, digits, - and _")
    if (root / name).exists() and not may_exist:
        raise Unusable(f"{root / name} exists: choose another name, or --force, which keeps its values and its UUID")


def make_plan(kind: str, folder: Path, settings: list[str]) -> Plan:
    """What is shipped, with what an installed endpoint had, with what is set now. Raises `Unusable`."""
    shipped, installed = read_plan(HERE / kind), read_plan(folder)
    kept = {name: value for name, value in installed.values.items() if type(value) is type(shipped.values.get(name))}
    values = {**shipped.values, **kept}
    environment = {**shipped.environment, **installed.environment}
    functions = " ".join(installed.functions)
    for setting in settings:
        name, equals, text = setting.partition("=")
        if name == "functions":
            functions = text
        elif name in shipped.values and equals:
            values[name] = parse_value(name, text, shipped.values[name])
        elif re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and equals:
            environment[name] = text
        else:
            raise Unusable(f"{setting}: a {kind} endpoint has functions, {', '.join(shipped.values)} and variables")
    logs = str(folder.parent / LOGS)
    if "folder" in values:
        values["folder"] = str(folder)
    for named, name in ((values, "log_dir"), (environment, "INFERENCE_LOG_DIR")):
        if named.get(name) == "":
            named[name] = logs
    check_values(kind, values)
    return Plan(parse_functions(functions), values, environment)


def read_plan(folder: Path) -> Plan:
    """What a folder says, shipped or installed; nothing where it is not there. Raises `Unusable`."""
    try:
        texts = {name: read_text(folder / name) for name in (CONFIG, TEMPLATE, ENVIRONMENT)}
        config, environment = (yaml.safe_load(texts[name]) or {} for name in (CONFIG, ENVIRONMENT))
        functions = [str(function) for function in config.get("allowed_functions") or []]
        variables = {str(name): str(value) for name, value in environment.items()}
        return Plan(functions, read_values(texts[TEMPLATE]), variables)
    except (yaml.YAMLError, AttributeError, ValueError) as exc:
        raise Unusable(f"{folder} cannot be read, mend it or remove it: {exc}") from exc


def read_text(path: Path) -> str:
    """A file's text; empty where there is no such file."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def install(kind: str, folder: Path, plan: Plan) -> bool:
    """Write the files, once they are known to be good. Returns whether the agent has read them. Raises `Unusable`."""
    os.umask(0o077)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".install-") as name:
        new = Path(name)
        write_files(kind, folder.name, new, plan)
        is_checked = check_files(new)
        folder.mkdir(exist_ok=True)
        for path in new.iterdir():
            path.replace(folder / path.name)
    for log_dir in (plan.values.get("log_dir"), plan.environment.get("INFERENCE_LOG_DIR")):
        if log_dir:
            Path(log_dir).mkdir(parents=True, exist_ok=True)
    return is_checked


def write_files(kind: str, name: str, folder: Path, plan: Plan) -> None:
    """The endpoint's files."""
    config = (HERE / kind / CONFIG).read_text(encoding="utf-8").replace("<name>", json.dumps(name))
    functions = "\n".join(f"  - {function}" for function in plan.functions)
    template = write_values((HERE / kind / TEMPLATE).read_text(encoding="utf-8"), plan.values)
    (folder / CONFIG).write_text(config.replace("  - <function-uuid>", functions), encoding="utf-8")
    (folder / TEMPLATE).write_text(template, encoding="utf-8")
    (folder / ENVIRONMENT).write_text(yaml.safe_dump(plan.environment), encoding="utf-8")
    shutil.copyfile(HERE / kind / SCHEMA, folder / SCHEMA)
    for program in PROGRAMS if "folder" in plan.values else ():
        shutil.copyfile(HERE / program, folder / program)


def check_files(folder: Path) -> bool:
    """Read the files as the agent does, by its own code where it is installed. Raises `Unusable`."""
    template = (folder / TEMPLATE).read_text(encoding="utf-8")
    sandbox = jinja2.sandbox.SandboxedEnvironment(undefined=jinja2.StrictUndefined)
    try:
        rendered = sandbox.from_string(template).render()
        yaml.safe_load(rendered)
        if importlib.util.find_spec("globus_compute_endpoint") is None:
            return False
        check_with_agent(rendered, (folder / CONFIG).read_text(encoding="utf-8"))
    except (jinja2.TemplateError, yaml.YAMLError) as exc:
        raise Unusable(f"the values do not make a template that can be read: {exc}") from exc
    return True


def check_with_agent(rendered: str, config: str) -> None:
    """Have the agent build what it would start, and start nothing. Raises `Unusable`."""
    from click import ClickException  # noqa: PLC0415 - these are in the agent's environment only
    from globus_compute_endpoint.endpoint.config.utils import load_config_yaml  # noqa: PLC0415

    try:
        load_config_yaml(config)
        load_config_yaml(rendered)
    except ClickException as exc:
        raise Unusable(f"the agent does not accept this: {exc.message}") from exc


def print_next(name: str, folder: Path, plan: Plan, *, is_checked: bool) -> None:
    """Say what was done and what is to be done."""
    print(f"Installed {folder}.")
    if not is_checked:
        print("The agent has not read it: run this again with the Python that globus-compute-endpoint is installed in.")
    print("Next, with the service account's GLOBUS_COMPUTE_CLIENT_ID and GLOBUS_COMPUTE_CLIENT_SECRET exported:")
    print(f"    globus-compute-endpoint render-user-config --endpoint {name}    # what it will do")
    print(f"    globus-compute-endpoint start {name}    # prints its UUID")
    ports = ", ".join(f"{model['model']}: {model['port']}" for model in plan.values.get("models", []))
    if ports:
        print(f"Then put the UUID as endpoint_uuid into the gateway's rows, with these as api_port: {ports}.")


if __name__ == "__main__":
    sys.exit(main())
