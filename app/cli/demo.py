"""`entitled demo`: everything on this machine, filled."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import output


def demo(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the service. Default: 8080, or a free one.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where MongoDB keeps its files. Default: a temporary directory.")
    ] = None,
    no_stripe_key: Annotated[
        bool, typer.Option("--no-stripe-key", help="Run without a Stripe API key: events alone are believed.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON on stdout once all is ready; the rest on stderr.")
    ] = False,
) -> None:
    """Run MongoDB, a Stripe sandbox and the service with 200 workspaces, until Ctrl-C.

    The environment's MongoDB and Stripe settings are not used. With --data-dir the files stay, but every demo starts
    afresh.
    """
    from app.cli.service import termination_as_interrupt

    try:
        with termination_as_interrupt():
            from app.cli.demonstration import Options, demonstrate  # takes a second or two

            demonstrate(Options(port=port, data_dir=data_dir, has_stripe_key=not no_stripe_key, as_json=as_json))
    except KeyboardInterrupt:
        pass  # while it started; a service that runs takes the signal itself
    output.note("the demo has ended")
