"""``hourglass dev | operator | demo-performer``: the programs that keep running."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None, typer.Option("--config", envvar="HOURGLASS_CONFIG", help="Configuration in YAML.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(dev)
    app.command()(operator)
    app.command(
        "demo-performer",
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(demo_performer)


def dev(
    data_dir: Annotated[Path, typer.Option(help="Where state and logs are kept.")] = Path(
        ".hourglass"
    ),
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin with no state.")] = False,
    ci: Annotated[
        bool,
        typer.Option("--ci", help="Unattended: one task, its result as JSON on stdout, the end."),
    ] = False,
    executor_port: Annotated[int, typer.Option(min=0, max=65535)] = 9090,
    control_port: Annotated[int, typer.Option(min=0, max=65535, help="PerformerControl.")] = 50051,
    api_port: Annotated[int, typer.Option(min=0, max=65535, help="The Kubernetes API.")] = 16443,
    operator_metrics_port: Annotated[int, typer.Option(min=0, max=65535)] = 8081,
    executor_metrics_port: Annotated[int, typer.Option(min=0, max=65535)] = 8082,
    ready_timeout: Annotated[float, typer.Option(min=1, help="Seconds until all is Ready.")] = 60.0,
) -> None:
    """Run everything on this machine: a dev cluster, the operator, an executor, a performer."""
    from hourglass_cli.dev.options import DevOptions, Ports
    from hourglass_cli.dev.run import run

    ports = Ports(
        executor_port=executor_port,
        control_port=control_port,
        api_port=api_port,
        operator_metrics_port=operator_metrics_port,
        executor_metrics_port=executor_metrics_port,
    )
    options = DevOptions(
        data_dir=data_dir, fresh=fresh, ci=ci, ports=ports, ready_timeout=ready_timeout
    )
    raise typer.Exit(run(options))


def operator(  # noqa: PLR0913  each is a flag
    kubeconfig: Annotated[
        Path | None,
        typer.Option(envvar="KUBECONFIG", help="How to reach the cluster; in-cluster if empty."),
    ] = None,
    watch_namespaces: Annotated[
        str | None,
        typer.Option(
            "--watch-namespaces",
            "--namespace",
            help="Watch these namespaces only, separated by commas; all if empty.",
        ),
    ] = None,
    control_bind_address: Annotated[
        str | None, typer.Option(help="Address of PerformerControl.")
    ] = None,
    metrics_bind_address: Annotated[
        str | None, typer.Option(help="Address of /metrics, such as :8080.")
    ] = None,
    health_probe_bind_address: Annotated[
        str | None, typer.Option(help="Address of /healthz and /readyz, such as :8081.")
    ] = None,
    leader_elect: Annotated[
        bool | None, typer.Option("--leader-elect/--no-leader-elect", help="One leads.")
    ] = None,
    leader_election_namespace: Annotated[
        str | None, typer.Option(help="Namespace of the lease; the operator's own if empty.")
    ] = None,
    leader_elect_lease_duration: Annotated[
        float | None, typer.Option(help="Seconds after which another takes a silent lead.")
    ] = None,
    leader_elect_renew_deadline: Annotated[
        float | None, typer.Option(help="Seconds without renewal after which nothing is written.")
    ] = None,
    leader_elect_retry_period: Annotated[
        float | None, typer.Option(help="Seconds between renewals.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Performers reconciled at the same time.")
    ] = None,
    kube_api_qps: Annotated[
        float | None, typer.Option(min=0, help="Writes per second at most; 0 for no limit.")
    ] = None,
    default_security_profile: Annotated[
        str | None, typer.Option(help="Restricted or Baseline, for performers that name none.")
    ] = None,
    config: ConfigFile = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="json or text.")] = None,
) -> None:
    """Run the operator: it turns Performer objects into pods, and serves PerformerControl."""
    from hourglass_cli.launch import launch

    flags = {
        "kubeconfig": str(kubeconfig) if kubeconfig else None,
        "watch_namespaces": watch_namespaces or None,
        "control.address": control_bind_address,
        "metrics_bind_address": metrics_bind_address,
        "health_probe_bind_address": health_probe_bind_address,
        "leader_elect": leader_elect,
        "leader_election_namespace": leader_election_namespace,
        "leader_elect_lease_duration": leader_elect_lease_duration,
        "leader_elect_renew_deadline": leader_elect_renew_deadline,
        "leader_elect_retry_period": leader_elect_retry_period,
        "workers": workers,
        "kube_api_qps": kube_api_qps,
        "default_security_profile": default_security_profile,
        "log_level": log_level,
        "log_format": log_format,
    }
    raise typer.Exit(
        launch(
            "operator",
            config_path=config,
            flags=flags,
        )
    )


def demo_performer(context: typer.Context) -> None:
    """Run a performer that squares a number: payload 0x4 gives 0x10."""
    from hourglass_cli.demo_performer.__main__ import main

    raise typer.Exit(main(context.args))
