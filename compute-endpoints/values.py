"""What a site says about a compute endpoint: the values in a kind's template and environment, and what they may be.

A template begins with lines such as ``{%- set walltime = "01:00:00" %}``, whose values are JSON; the agent reads them
as they are. Their type is that of the value the kind is shipped with.
"""

from __future__ import annotations

import json
import re
from typing import Any

LINE = re.compile(r"^\{%- set (\w+) = (.+) %\}$", re.MULTILINE)
WORD = (r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}|", "a plain word")
ADDRESS = (r"[A-Za-z0-9][A-Za-z0-9.:-]{0,99}", "an address")
# What goes into a job's script or to the scheduler's command line must not change what these say.
PATTERNS = {
    **dict.fromkeys(("account", "cluster", "framework", "interface", "partition", "qos", "queue"), WORD),
    "folder": (r"/[A-Za-z0-9._/+@-]{0,400}", "an absolute path without blanks"),
    "log_dir": (r"/[A-Za-z0-9._/+@-]{0,400}", "an absolute path without blanks"),
    "host": ADDRESS,
    "scheduler": (r"pbs|slurm", "pbs or slurm"),
    "scheduler_options": (r"(#(PBS|SBATCH) [^\n]*(\n|$))*", "lines that begin with #PBS or #SBATCH"),
    "select_options": (r"[A-Za-z0-9_.:=-]{0,200}", "resources apart by colons, such as ngpus=4"),
    "setup": (r"[^\0]*", "shell lines"),
    "walltime": (r"\d{1,4}:[0-5]\d:[0-5]\d", "HH:MM:SS"),
}
SMALLEST = {"max_blocks": 1, "nodes": 1, "workers": 1, "cpus_per_node": 1, "start_s": 1}
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,199}")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SECRET = re.compile(r"--(api-key|hf-token)\b|[A-Z_]*(KEY|TOKEN|SECRET|PASSWORD)\b")
ADDRESS_OPTION = re.compile(r"--(host|port)(=|$)")
FIRST_PORT, LAST_PORT = 8000, 65535


class Unusable(Exception):
    """A value cannot be used; the message says why, and what to write."""


def read_values(template: str) -> dict[str, Any]:
    """The values in a template."""
    return {name: json.loads(value) for name, value in LINE.findall(template)}


def write_values(template: str, values: dict[str, Any]) -> str:
    """The template with other values."""
    return LINE.sub(lambda line: f"{{%- set {line[1]} = {json.dumps(values[line[1]])} %}}", template)


def parse_value(name: str, text: str, shipped: object) -> Any:
    """A value as it was typed, as the type of the `shipped` one. Raises `Unusable`."""
    if isinstance(shipped, str):
        return text
    if name == "models" and not text.startswith("["):
        return parse_models(text)
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if type(value) is not type(shipped):
        kinds = {int: "a whole number", bool: "true or false", list: 'a JSON list, such as ["--max-model-len", "8192"]'}
        raise Unusable(f"{name} must be {kinds[type(shipped)]}, not {text}")
    return value


def parse_models(text: str) -> list[dict[str, Any]]:
    """Models from ``NAME=PORT,NAME=PORT``; without a port they get 8000 and those after it. Raises `Unusable`."""
    models = []
    for number, part in enumerate(filter(None, text.split(","))):
        name, _, port = part.partition("=")
        if port and not port.isdecimal():
            raise Unusable(f"models: {port} is no port; write NAME=PORT,NAME=PORT")
        models.append({"model": name, "port": int(port or FIRST_PORT + number)})
    return models


def parse_functions(text: str) -> list[str]:
    """UUIDs apart by commas or blanks. Raises `Unusable`: there is none, or one is no UUID."""
    functions = re.split(r"[\s,]+", text.strip()) if text.strip() else []
    for function in functions:
        if not UUID.fullmatch(function):
            raise Unusable(f"functions: {function} is no UUID; write those that compute-functions/ printed")
    if not functions:
        raise Unusable("functions is not set: write the UUIDs that may run here, as --set functions=UUID,UUID")
    return functions


def check_values(kind: str, values: dict[str, Any]) -> None:
    """Raises `Unusable` for the first value that the kind cannot work with."""
    for name, value in values.items():
        pattern, what = PATTERNS.get(name, ("", ""))
        if isinstance(value, str) and pattern and not re.fullmatch(pattern, value):
            raise Unusable(f"{name} must be {what}, not {value}")
        if type(value) is int and value < SMALLEST.get(name, 0):
            raise Unusable(f"{name} must be at least {SMALLEST.get(name, 0)}, not {value}")
    if "models" in values:
        check_models(values["models"], most=1 if kind.endswith("-multi-node") else 64)
        check_command(values["command"], values["options"])


def check_models(models: list[Any], *, most: int) -> None:
    """Raises `Unusable`."""
    if not 1 <= len(models) <= most:
        many = "one model" if most == 1 else f"1 to {most} models"
        raise Unusable(f"models must name {many}, as --set models=org/model=8000")
    for model in models:
        if not isinstance(model, dict) or not {"model", "port"} <= model.keys() <= MODEL_FIELDS.keys():
            raise Unusable(f"models: {model} needs model and port, and may have {', '.join(sorted(MODEL_FIELDS))}")
        for field, value in model.items():
            if not isinstance(value, MODEL_FIELDS[field]) or isinstance(value, bool):
                raise Unusable(f"models: {field} of {model['model']} is not what it must be: {value}")
        if not MODEL.fullmatch(model["model"]):
            raise Unusable(f"models: {model['model']} is no model's name")
        if not 1 <= model["port"] <= LAST_PORT:
            raise Unusable(f"models: {model['port']} is no port")
        check_options(model.get("options", []), model.get("environment", {}))
    for field in ("model", "port"):
        if len({model[field] for model in models}) < len(models):
            raise Unusable(f"models: each needs a {field} of its own")


MODEL_FIELDS = {"model": str, "port": int, "source": str, "options": list, "environment": dict}


def check_command(command: list[Any], options: list[Any]) -> None:
    """Raises `Unusable`."""
    check_options(options, {})
    if not all(isinstance(word, str) for word in command) or "{port}" not in " ".join(command):
        raise Unusable("command must be a list of words, one of which holds {port}")


def check_options(options: list[Any], environment: dict[str, Any]) -> None:
    """Raises `Unusable` for what belongs elsewhere: the server's address, and secrets, which all on a node may see."""
    if not all(isinstance(word, str) for word in (*options, *environment, *environment.values())):
        raise Unusable("options and environment must hold texts")
    for word in (*options, *environment):
        if SECRET.match(word):
            raise Unusable(
                f"{word.partition('=')[0]} is a secret: let setup read it from a file that only you can read"
            )
        if ADDRESS_OPTION.match(word):
            raise Unusable(f"{word.partition('=')[0]} is set by host and by the model's port")
