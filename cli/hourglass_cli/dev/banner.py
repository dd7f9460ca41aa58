"""What a person sees when all is Ready: each address, and what to try next."""

import shlex
import sys
from pathlib import Path
from typing import Any

from .programs import DEMO_AVS


def show_banner(addresses: dict[str, Any], logs: Path, seconds: float) -> None:
    """Print it on stdout, coloured on a terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    console.print(f"\n[bold green]Hourglass is Ready[/] after {seconds:.1f} s\n")
    grid = Table.grid(padding=(0, 2))
    for name, value in rows(addresses, logs):
        grid.add_row(f"  {escape(name)}", f"[cyan]{escape(value)}[/]")
    console.print(grid)
    console.print("\nTry next:\n")
    for command in next_commands(addresses):
        console.print(f"  [bold]{escape(command)}[/]")
    console.print("\nCtrl-C ends everything; the state stays for the next time.\n")


def rows(addresses: dict[str, Any], logs: Path) -> tuple[tuple[str, str], ...]:
    """Return what is where, by name."""
    return (
        ("kubeconfig", addresses["kubeconfig"]),
        ("PerformerControl (gRPC)", addresses["performerControl"]),
        ("executor (gRPC)", addresses["executor"]),
        ("executor management (gRPC)", addresses["executorManagement"]),
        ("operator metrics", addresses["metrics"]["operator"]),
        ("executor metrics", addresses["metrics"]["executor"]),
        ("demo AVS", DEMO_AVS),
        ("task signatures", "not verified (verification: none), for development"),
        ("logs", str(logs)),
    )


def next_commands(addresses: dict[str, Any]) -> tuple[str, str, str]:
    """Return three commands that work as they stand."""
    executor = addresses["executor"]
    return (
        f"kubectl --kubeconfig {shlex.quote(addresses['kubeconfig'])} get performers",
        f"hourglass task submit --executor {executor} --avs {DEMO_AVS} --payload 0x4",
        f"grpcurl -plaintext {executor} list",
    )
