"""What the configuration must hold before the gateway serves: system checks with stable ids and a fix each.

Development (DEBUG=True) may be loose; production may not. ``docs/checks.md`` is generated from `RULES`.
"""

from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution

from resource_server.checks import bounds, database, globus, network, secrets, traces
from resource_server.checks.rule import Rule
from resource_server.domain.settings import Settings

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (*secrets.RULES, *database.RULES, *globus.RULES, *network.RULES, *bounds.RULES, *traces.RULES),
        key=lambda rule: rule.id,
    )
)


def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """All rules, on the settings in force."""
    return find_problems(django_settings.ENVIRONMENT)


def find_problems(settings: Settings) -> list[CheckMessage]:
    """All rules, on these settings."""
    is_development = settings.flag("DEBUG")
    return [
        (Error if rule.refuses else Caution)(problem.message, hint=problem.hint, id=f"gateway.{rule.id}")
        for rule in RULES
        if rule.in_development or not is_development
        for problem in rule.find(settings)
    ]
