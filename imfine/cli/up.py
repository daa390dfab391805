"""`imfine up`: the page, its server and its two workers, from one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imfine.cli.show import said


def up(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; this machine alone by default.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on; 7878 by default.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="Data directory; ~/.local/share/imfine by default.")
    ] = None,
) -> None:
    """Start I'm Fine and print the address to open. Ctrl-C ends it."""
    from imfine.supervisor.up import up as run

    with said(as_json=False):
        raise typer.Exit(run(host=host, port=port, home=home))
