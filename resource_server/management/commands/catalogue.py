"""``manage.py catalogue``: clusters, endpoints and federated endpoints from a file that is kept in git."""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from resource_server.services.accounts import find_account_name
from resource_server.services.audit import Actor, Source
from resource_server.services.catalogue_files.applying import CatalogueMoved, apply_document
from resource_server.services.catalogue_files.plan import build_plan
from resource_server.services.catalogue_files.reading import FileInvalid, read_file
from resource_server.services.catalogue_files.rendering import render_plan
from resource_server.services.catalogue_files.writing import export_catalogue

CHANGES = 2
"""Exit status of a plan that changes something."""


class Command(BaseCommand):
    """Running gateways read the catalogue every few seconds; nothing has to be restarted."""

    help = "Compares the catalogue with a YAML file, makes it what the file says, or writes it as such a file."

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> Any:
        options["formatter_class"] = RawDescriptionHelpFormatter
        options["epilog"] = (
            "The file has the lists clusters, endpoints and federated_endpoints (docs/catalogue-as-code.md).\n"
            "Rows and fields that it does not name stay as they are."
        )
        return super().create_parser(prog_name, subcommand, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="plan | apply | export")
        plan = actions.add_parser(
            "plan",
            help="show what FILE would change",
            description="Shows what FILE would change, and changes nothing. Exit status: 0 where the catalogue holds "
            "what the file says, 2 where it would change, 1 where the file cannot be used.",
        )
        apply = actions.add_parser(
            "apply",
            help="show what FILE changes, ask, and change it",
            description="Shows what FILE changes, asks, and makes all changes in one transaction, or none.",
        )
        for action in (plan, apply):
            action.add_argument("file", metavar="FILE", type=Path, help="a YAML file")
            action.add_argument(
                "--prune",
                action="store_true",
                help="delete rows that FILE does not name, in the sections that it has; without it, they stay",
            )
        apply.add_argument("--yes", action="store_true", help="do not ask")
        apply.add_argument(
            "--expect",
            metavar="FINGERPRINT",
            help="change nothing unless plan, which prints it, would print this fingerprint now",
        )
        export = actions.add_parser("export", help="write the catalogue as such a file, to standard output")
        export.add_argument(
            "--with-maintenance", action="store_true", help="write the clusters' maintenance as well, which passes"
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """Exit with 1 where the command line is wrong: argparse's 2 would read as "changes"."""
        self._called_from_command_line = True  # argparse prints the usage and exits, instead of raising
        try:
            self.create_parser(argv[0], argv[1]).parse_args(argv[2:])
        except SystemExit as exc:
            sys.exit(1 if exc.code else 0)
        super().run_from_argv(argv)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        if options["action"] == "export":
            self.stdout.write(export_catalogue(with_maintenance=options["with_maintenance"]), ending="")
            return
        try:
            if options["action"] == "plan":
                self._plan(options["file"], prune=options["prune"])
            else:
                self._apply(options)
        except FileInvalid as exc:
            raise CommandError(f"{exc}\nNothing was changed.") from exc

    def _plan(self, file: Path, *, prune: bool) -> None:
        plan = build_plan(read_file(file), prune=prune)
        self.stdout.write(render_plan(plan), ending="")
        if plan.changes:
            sys.exit(CHANGES)

    def _apply(self, options: dict[str, Any]) -> None:
        document, prune = read_file(options["file"]), options["prune"]
        plan = build_plan(document, prune=prune)
        self.stdout.write(render_plan(plan), ending="")
        if options["expect"] not in (None, plan.fingerprint):
            raise CommandError(
                f"The plan's fingerprint is {plan.fingerprint}, not {options['expect']}: the catalogue or the file has "
                "changed since. Nothing was changed. Look at the plan above, and give its fingerprint."
            )
        if not plan.changes:
            return
        if not (options["yes"] or self._is_confirmed()):
            raise CommandError("Nothing was changed.")
        actor = Actor(Source.CATALOGUE, name=find_account_name())
        try:
            apply_document(document, actor, expected=plan.fingerprint, prune=prune)
        except CatalogueMoved as exc:
            raise CommandError("Somebody changed the catalogue meanwhile. Nothing was changed. Plan again.") from exc
        except IntegrityError as exc:
            raise CommandError(f"{exc}\nNothing was changed.") from exc
        self.stdout.write("Applied.")

    def _is_confirmed(self) -> bool:
        self.stdout.write("Apply these changes? Write yes: ", ending="")
        self.stdout.flush()
        answer = sys.stdin.readline()
        if not answer:
            raise CommandError("Nobody answered: give --yes where nobody can be asked. Nothing was changed.")
        return answer.strip().lower() == "yes"
