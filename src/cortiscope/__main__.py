"""`python -m cortiscope` is the command line."""

from cortiscope.cli import main

main()
