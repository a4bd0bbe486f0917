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
    events: Annotated[
        float, typer.Option(min=0, help="Let something happen at Stripe every so many seconds; 0: nothing by itself.")
    ] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON on stdout once all is ready; the rest on stderr.")
    ] = False,
) -> None:
    """Run MongoDB, a Stripe sandbox and the service with 200 workspaces, until Ctrl-C.

    Open the Stripe sandbox's address in a browser to watch it and to advance its time.

    The environment's MongoDB and Stripe settings are not used. With --data-dir the files stay, but every demo starts
    afresh.
    """
    from app.cli.service import termination_as_interrupt

    try:
        with termination_as_interrupt():
            from app.cli.demonstration import Options, demonstrate  # takes a second or two

            has_key = not no_stripe_key
            demonstrate(
                Options(port=port, data_dir=data_dir, has_stripe_key=has_key, events_every_s=events, as_json=as_json)
            )
    except KeyboardInterrupt:
        pass  # while it started; a service that runs takes the signal itself
    output.note("the demo has ended")
