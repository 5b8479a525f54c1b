"""What the commands share: their options, how they load the configuration, and how they fail.

Exit codes: 0 all is well, 1 something failed (a photo, a listing, a feed), 2 the command or the
configuration is wrong, 128 + n ended by a second signal n.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from service.bootstrap import secrets_of
from service.config import Config, load_config
from service.errors import ConfigError, ServiceError
from service.logs import set_up_logs, visible

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The TOML file; see the README.")]
Feeds = Annotated[list[str] | None, typer.Argument(help="Feed names; all feeds if none is given.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]

DEFAULT_FILE = Path("listing-photos.toml")


def new_app(about: str | None = None) -> typer.Typer:
    """A command line without tracebacks: typer's show local variables, and those may be secrets."""
    return typer.Typer(
        help=about,
        epilog="Exit codes: 0 all is well, 1 something failed, 2 the command or the configuration is wrong.",
        no_args_is_help=about is not None,
        add_completion=False,
        pretty_exceptions_enable=False,
    )


def run_app(app: typer.Typer) -> None:
    """The command line; what a user can mend is said in a line."""
    try:
        app()
    except ConfigError as error:
        fail(error, 2)
    except ServiceError as error:
        fail(error, 1)
    except OSError as error:
        if error.filename is None:  # not about a file that somebody named: a defect, shown whole
            raise
        fail(ConfigError(f"{error.filename}: {error.strerror}"), 2)


def fail(error: ServiceError, code: int) -> NoReturn:
    """Say it on standard error, a line per mistake, and end with this code."""
    for line in str(error).splitlines():
        typer.echo(f"error: {visible(line)}", err=True)
    sys.exit(code)


def load(path: Path, log_level: str = "warning") -> Config:
    """The configuration, with logs set up so that none of its secrets shows."""
    settings = load_config(path)
    set_up_logs(secrets_of(settings), level=log_level)
    return settings


def chosen(settings: Config, names: list[str] | None) -> list[str]:
    """The named feeds, all of them without a name. ConfigError for a name that there is not."""
    for name in names or ():
        if name not in settings.feeds:
            raise ConfigError(f"no feed {name!r} in the configuration (allowed: {', '.join(settings.feeds)})")
    return names or list(settings.feeds)


def print_json(document: Any) -> None:
    """One JSON document on standard output, in ASCII: a feed's words may hold what moves a cursor."""
    typer.echo(json.dumps(document, default=str, indent=2))
