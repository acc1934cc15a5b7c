import sys

from benchmarks.federation.cli import main

sys.exit(main(sys.argv[1:]))
