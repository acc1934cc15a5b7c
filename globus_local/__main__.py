import sys

from globus_local.cli import main

if __name__ == "__main__":
    sys.exit(main())
