"""python -m service: the commands, in the order in which one meets them."""

from service.commands.attention import allow_purge, retry, undelete
from service.commands.catalog import migrate, status
from service.commands.cycles import once, plan, run
from service.commands.keeping import audit, rebuild, sweep
from service.commands.options import new_app, run_app

app = new_app("Keeps an S3 bucket in step with the photos of MLS feeds.")

COMMANDS = (
    *(run, once, plan, status),
    *(retry, undelete, allow_purge),
    *(audit, sweep, rebuild),
    migrate,
)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """The command line."""
    run_app(app)
