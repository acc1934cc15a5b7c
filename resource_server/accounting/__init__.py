"""Usage and audit of every request, stored exactly once; see `accounting.Accounting`."""

from resource_server.accounting.accounting import Accounting as Accounting
from resource_server.accounting.accounting import open_accounting as open_accounting
from resource_server.accounting.record import RequestRecord as RequestRecord
