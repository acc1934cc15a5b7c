"""All dashboards. To add one, write a module beside this one and name what it builds here."""

from scripts.dashboards.database import DATABASE
from scripts.dashboards.gateway import GATEWAY
from scripts.dashboards.models import MODELS
from scripts.dashboards.overview import OVERVIEW
from scripts.dashboards.people import PEOPLE
from scripts.dashboards.system import SYSTEM

DASHBOARDS = (OVERVIEW, MODELS, PEOPLE, GATEWAY, SYSTEM, DATABASE)
