"""One module per group of commands; service/cli.py puts them on the command line."""
