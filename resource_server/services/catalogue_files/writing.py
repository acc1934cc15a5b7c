"""The catalogue as the text of a catalogue file."""

import yaml

from resource_server.services.catalogue_files.kinds import KINDS, MAINTENANCE_FIELDS, plain_fields

_HEADER = """\
# The catalogue of an inference gateway (docs/catalogue-as-code.md):
#   manage.py catalogue plan FILE     shows what FILE would change
#   manage.py catalogue apply FILE    changes it
"""


def export_catalogue(*, with_maintenance: bool) -> str:
    """Every row with every field; maintenance, which passes, only where it is asked for."""
    hidden = () if with_maintenance else MAINTENANCE_FIELDS
    document = {
        kind.section: [
            {name: value for name, value in plain_fields(kind, row).items() if name not in hidden}
            for row in kind.model.objects.all()
        ]
        for kind in KINDS
    }
    text: str = yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    return f"{_HEADER}{text}"


class _Plain(yaml.SafeDumper):
    """Writes what is equal twice, instead of an anchor and an alias: people edit this file."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base's signature
        return True
