import sys

from globus_local.cli import main

sys.exit(main())
