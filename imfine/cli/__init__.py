"""The command line: `imfine models | pull | inspect | tune | adapters | data | train | learn | doctor |
up`.
Knows words and exit codes, no model.

Exit codes: 0 well, 2 the request is at fault (usage, a value, a model that cannot be used), 1 everything
else. One verb a file; torch is imported only by those that compute.
"""

from __future__ import annotations

import typer

from imfine.cli.adapters import app as adapters
from imfine.cli.data import app as data
from imfine.cli.doctor import doctor
from imfine.cli.learn import learn
from imfine.cli.models import inspect, models, pull
from imfine.cli.train import train
from imfine.cli.tune import tune
from imfine.cli.up import up
from imfine.version import VERSION

app = typer.Typer(
    help="I'm Fine (아임파인): turn a model's weights like an equalizer, and compare what it answers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (up, models, pull, inspect, tune, train, learn, doctor):
    app.command()(verb)
app.add_typer(data, name="data")
app.add_typer(adapters, name="adapters")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def _imfine(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Say the version."
    ),
) -> None: ...


def main() -> None:
    app()
