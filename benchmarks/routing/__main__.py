import sys

from benchmarks.routing.cli import main

sys.exit(main(sys.argv[1:]))
