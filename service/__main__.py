"""`python -m service`: the command line is in cli.py."""

from service.cli import main

if __name__ == "__main__":
    main()
