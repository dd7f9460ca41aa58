"""ExecutorManagementService: which performers run, and the change from one to the next.

A new performer comes up beside the one in service, is promoted when it is healthy, and only
then the old one drains and goes. One deployment at a time for each AVS; no call waits for another.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hourglass_common.domain.backoff import Backoff
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger
from hourglass_services.executor.port import (
    AuthSignature,
    Challenge,
    Deployed,
    DeployRequest,
    PerformerInfo,
)

from hourglass_executor.deployers.deployment import (
    Artifact,
    Deployment,
    DeploymentRecord,
    DeploymentState,
    Mode,
)
from hourglass_executor.deployers.port import Deployer
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.routing.roles import within
from hourglass_executor.storage.port import Store
from hourglass_executor.storage.recover import (
    AdoptDeployment,
    ContinueDeployment,
    RemoveDeployment,
    recover_deployments,
    wanted_anew,
)

from .challenge import Challenges
from .deploy_request import completed, in_progress, time_within, too_late, validate_request
from .performer_info import performer_info

log = get_logger(__name__)

_ROLES = {
    DeploymentState.STAGED: Role.STAGED,
    DeploymentState.IN_SERVICE: Role.IN_SERVICE,
    DeploymentState.RETIRING: Role.DRAINING,
}
_AGAIN = Backoff(minimum=1.0, maximum=60.0)
_AWAY_SECONDS = 5.0
"""Between tries to deploy where a deployer does not answer: it is noticed soon to be back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """In seconds: how long a deployment may take in each mode, and a drain."""

    deploy: Mapping[Mode, float]
    drain: float


class Deployments:
    """Implements ``ManagementPort``, and is the deployers' ``Listener``."""

    def __init__(
        self,
        *,
        store: Store,
        dispatcher: Dispatcher,
        challenges: Challenges,
        place_for: Callable[[str, str, Mode | None], tuple[Mode, str]],
        new_id: Callable[[str], str],
        times: Times,
        clock: Clock,
        group: asyncio.TaskGroup,
        options_for: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._challenges = challenges
        self._place_for = place_for
        self._options_for = options_for
        self._new_id = new_id
        self._times = times
        self._clock = clock
        self._group = group
        self._records: dict[str, DeploymentRecord] = {}
        self._endpoints: dict[str, Sequence[Endpoint]] = {}
        self._deploying: set[str] = set()
        self._wanted: set[str] = set()
        self._deployers: Mapping[Mode, Deployer] = {}
        self._stopping = False

    # -- the deployers' listener

    def endpoints_changed(self, performer_id: str, endpoints: Sequence[Endpoint]) -> None:
        if performer_id in self._records:
            self._endpoints[performer_id] = endpoints
            self._route(performer_id)

    def handle_changed(self, performer_id: str, handle: str) -> None:
        record = self._records.get(performer_id)
        if record is not None and record.handle != handle:
            self._records[performer_id] = replace(record, handle=handle)
            self._group.create_task(self._keep(performer_id))

    # -- life

    def use(self, deployers: Mapping[Mode, Deployer]) -> None:
        """Set the deployers, which need this object to be made."""
        self._deployers = deployers

    def is_served(self, avs: str) -> bool:
        """Return whether the AVS has a performer here, or is to have one."""
        return avs in self._wanted or any(
            record.deployment.avs == avs and record.state is not DeploymentState.RETIRING
            for record in self._records.values()
        )

    async def start(self, configured: Sequence[Deployment]) -> None:
        """Take over what was deployed, and begin with what is configured and does not run yet.

        Returns at once: each comes up by itself, and one that fails holds up no other.
        """
        kept = await self._store.deployments()
        for step in recover_deployments(kept):
            record = step.record
            self._records[record.deployment.performer_id] = record
            self._announce(record.deployment)
            match step:
                case AdoptDeployment():
                    self._group.create_task(self._adopt(record))
                case ContinueDeployment():
                    self._group.create_task(self._bring_up(record.deployment, record.handle))
                case RemoveDeployment():
                    self._group.create_task(self._clear_away(record))
        for deployment in wanted_anew(configured, kept):
            self._wanted.add(deployment.avs)
            self._dispatcher.set_endpoints(deployment.avs, f"awaited/{deployment.avs}", ())
            self._group.create_task(self._bring_up(deployment, None))

    # -- ManagementPort

    async def challenge(self, operator_address: str) -> Challenge:
        return self._challenges.issue(operator_address)

    async def deploy(self, request: DeployRequest, timeout_seconds: float | None) -> Deployed:
        self._challenges.check(request.auth)
        validate_request(request)
        avs = request.avs_address.lower()
        old = self._in_service(avs)
        mode, registry = self._place_for(
            avs, request.registry, old.deployment.mode if old else None
        )
        deployment = Deployment(
            performer_id=self._new_id(avs),
            avs=avs,
            artifact=Artifact(registry=registry, digest=request.digest),
            mode=mode,
            environment=request.environment,
            service_account=request.service_account,
            options=self._options_for(avs),
        )
        limit = self._times.deploy[deployment.mode]
        await self._deploy(deployment, None, time_within(timeout_seconds, limit))
        return completed(deployment)

    async def list(self, avs_address: str, auth: AuthSignature | None) -> tuple[PerformerInfo, ...]:
        self._challenges.check(auth)
        wanted = avs_address.lower()
        return tuple(
            performer_info(
                record,
                self._dispatcher.snapshot(),
                self._deployers.get(record.deployment.mode),
            )
            for record in self._records.values()
            if record.state is not DeploymentState.RETIRING
            and wanted in ("", record.deployment.avs)
        )

    async def remove(self, performer_id: str, auth: AuthSignature | None) -> str:
        self._challenges.check(auth)
        if not performer_id:
            raise HourglassError(
                Code.INVALID_ARGUMENT, "performer ID is required", reason="INVALID_REQUEST"
            )
        record = self._records.get(performer_id)
        if record is None or record.state is DeploymentState.RETIRING:
            raise HourglassError(
                Code.NOT_FOUND,
                f"performer with ID {performer_id} not found",
                reason="PERFORMER_NOT_FOUND",
            )
        if record.deployment.avs in self._deploying:
            raise in_progress(record.deployment.avs)
        self._wanted.discard(record.deployment.avs)
        await self._retire(record)
        return f"Performer {performer_id} removed successfully"

    # -- deployments

    async def _bring_up(self, deployment: Deployment, handle: str | None) -> None:
        """Deploy what is to run without anybody asking, again and again until it does.

        Tasks of the AVS wait meanwhile, through attempts that fail too.
        """
        awaited = f"awaited/{deployment.avs}"
        self._dispatcher.set_endpoints(deployment.avs, awaited, ())
        try:
            await self._until_deployed(deployment, handle)
        finally:
            self._dispatcher.remove(awaited)

    async def _until_deployed(self, deployment: Deployment, handle: str | None) -> None:
        attempt = 0
        while True:
            limit = self._times.deploy[deployment.mode]
            try:
                await self._deploy(deployment, handle, limit, patient=True)
                return
            except HourglassError as error:
                if error.code is Code.ALREADY_EXISTS:
                    return  # a DeployArtifact came in between: it is newer
                away = error.code is Code.UNAVAILABLE
                log.error(
                    "performer not deployed",
                    avs=deployment.avs,
                    performer_id=deployment.performer_id,
                    error=str(error),
                )
            attempt += 1
            delay = _AGAIN.delay(attempt, 0.0)
            await asyncio.sleep(min(delay, _AWAY_SECONDS) if away else delay)
            if self._in_service(deployment.avs) is not None:
                return
            if away:  # nothing is known to be wrong with it: it is looked for, then made
                handle = handle or ""
                continue
            # What failed is being cleared away under its own id.
            deployment = replace(deployment, performer_id=self._new_id(deployment.avs))
            handle = None

    async def _deploy(
        self,
        deployment: Deployment,
        handle: str | None,
        seconds: float,
        *,
        patient: bool = False,
    ) -> None:
        """Bring it up beside the one in service, promote it, and retire that.

        What fails is cleared away; not by a ``patient`` caller who comes back with the same one
        once its deployer answers again.
        """
        if deployment.avs in self._deploying:
            raise in_progress(deployment.avs)
        deployer = self._deployer(deployment.mode)
        self._deploying.add(deployment.avs)
        try:
            record = self._records.get(deployment.performer_id) or DeploymentRecord(
                deployment=deployment,
                state=DeploymentState.STAGED,
                created_at=self._clock.wall(),
            )
            self._records[deployment.performer_id] = record
            self._announce(deployment)
            try:
                # Stored before it is started: what a crash leaves running can be found again.
                await self._store.put_deployment(record)
                await self._until_healthy(deployer, deployment, handle, seconds)
                await self._promote(deployment)
            except BaseException as failure:
                away = isinstance(failure, HourglassError) and failure.code is Code.UNAVAILABLE
                if not (patient and away):
                    await self._give_up(deployment)
                raise
        finally:
            self._deploying.discard(deployment.avs)

    async def _until_healthy(
        self, deployer: Deployer, deployment: Deployment, handle: str | None, seconds: float
    ) -> None:
        deadline = self._clock.monotonic() + seconds
        try:
            async with asyncio.timeout(seconds):
                await deployer.deploy(deployment, handle)
        except TimeoutError as exc:
            raise too_late(deployment, deployer.reason(deployment.performer_id), seconds) from exc
        left = deadline - self._clock.monotonic()
        if not await self._dispatcher.wait_serving(deployment.performer_id, max(left, 0.0)):
            raise too_late(deployment, deployer.reason(deployment.performer_id), seconds)

    async def _promote(self, deployment: Deployment) -> None:
        performer_id = deployment.performer_id
        old = self._in_service(deployment.avs)
        record = replace(self._records[performer_id], state=DeploymentState.IN_SERVICE)
        self._records[performer_id] = record
        await self._store.put_deployment(record)
        self._route(performer_id)
        self._wanted.discard(deployment.avs)
        log.info("performer promoted", avs=deployment.avs, performer_id=performer_id)
        if old is not None and old.deployment.performer_id != performer_id:
            # Off the list from now on; its drain is not the caller's business.
            await self._mark_retiring(old)
            self._group.create_task(self._clear_away(old))

    async def _give_up(self, deployment: Deployment) -> None:
        """Take away what did not become healthy; on a stop it stays for the next start."""
        if self._stopping:
            return
        record = self._records.get(deployment.performer_id)
        if record is not None:  # off the list at once
            record = replace(record, state=DeploymentState.RETIRING)
            self._records[deployment.performer_id] = record
            self._group.create_task(self._give_away(record))

    def stop(self) -> None:
        """From now on nothing is taken away any more because it did not come up."""
        self._stopping = True

    async def _give_away(self, record: DeploymentRecord) -> None:
        await self._keep(record.deployment.performer_id)
        await self._clear_away(record)

    async def _retire(self, record: DeploymentRecord) -> None:
        await self._mark_retiring(record)
        await self._clear_away(record)

    async def _mark_retiring(self, record: DeploymentRecord) -> None:
        performer_id = record.deployment.performer_id
        retiring = replace(self._records[performer_id], state=DeploymentState.RETIRING)
        self._records[performer_id] = retiring
        self._route(performer_id)
        await self._store.put_deployment(retiring)

    async def _clear_away(self, record: DeploymentRecord) -> None:
        """Drain it, stop it, forget it; where its deployer does not answer, try again."""
        performer_id = record.deployment.performer_id
        lost = await self._dispatcher.drain(performer_id, self._times.drain)
        if lost:
            log.warning("drain timed out", performer_id=performer_id, tasks=lost)
        attempt = 0
        while True:
            try:
                deployer = self._deployer(record.deployment.mode)
                if record.handle and not deployer.instances(performer_id):
                    await self._known_again(deployer, record)
                await deployer.remove(performer_id)
                break
            except HourglassError as error:
                log.error("performer not removed", performer_id=performer_id, error=str(error))
                if error.code is not Code.UNAVAILABLE:
                    break
            attempt += 1
            await asyncio.sleep(_AGAIN.delay(attempt, 0.0))
        self._dispatcher.remove(performer_id)
        self._records.pop(performer_id, None)
        self._endpoints.pop(performer_id, None)
        try:
            await self._store.drop_deployment(performer_id)
        except HourglassError as error:  # the next start removes it again
            log.error("deployment not forgotten", performer_id=performer_id, error=error.message)
        log.info("performer removed", performer_id=performer_id)

    async def _known_again(self, deployer: Deployer, record: DeploymentRecord) -> None:
        """Have a deployer know what it may have made before a restart."""
        try:
            await deployer.deploy(record.deployment, record.handle)
        except HourglassError as error:
            if error.code is not Code.NOT_FOUND:
                raise

    async def _adopt(self, record: DeploymentRecord) -> None:
        """Follow what runs; where its deployer does not answer, try again."""
        attempt = 0
        while True:
            try:
                deployer = self._deployer(record.deployment.mode)
                await deployer.deploy(record.deployment, record.handle)
                return
            except HourglassError as error:
                log.error(
                    "performer not adopted",
                    performer_id=record.deployment.performer_id,
                    error=str(error),
                )
                if error.code is Code.NOT_FOUND:
                    return  # somebody has taken it away: it is shown so until it is replaced
            attempt += 1
            await asyncio.sleep(_AGAIN.delay(attempt, 0.0))

    # -- small things

    def _deployer(self, mode: Mode) -> Deployer:
        deployer = self._deployers.get(mode)
        if deployer is None:
            raise HourglassError(
                Code.FAILED_PRECONDITION,
                f"deploymentMode {mode.value} is not configured on this executor",
                reason="DEPLOYMENT_MODE",
                hint="add its section to the configuration: docker, kubernetes, or "
                "processes.allow: true",
            )
        return deployer

    def _in_service(self, avs: str) -> DeploymentRecord | None:
        for record in self._records.values():
            if record.deployment.avs == avs and record.state is DeploymentState.IN_SERVICE:
                return record
        return None

    def _announce(self, deployment: Deployment) -> None:
        """Let tasks of the AVS wait for it: its endpoints come later."""
        if deployment.performer_id not in self._endpoints:
            self._endpoints[deployment.performer_id] = ()
            self._dispatcher.set_endpoints(deployment.avs, deployment.performer_id, ())

    def _route(self, performer_id: str) -> None:
        """Tell the dispatcher where the performer is, in the role that its state gives it."""
        record = self._records[performer_id]
        if performer_id not in self._endpoints:
            return
        role = _ROLES[record.state]
        self._dispatcher.set_endpoints(
            record.deployment.avs,
            performer_id,
            [
                replace(endpoint, role=within(role, endpoint.role))
                for endpoint in self._endpoints[performer_id]
            ],
        )

    async def _keep(self, performer_id: str) -> None:
        record = self._records.get(performer_id)
        if record is None:
            return
        try:
            await self._store.put_deployment(record)
        except HourglassError as error:
            log.error("deployment not kept", performer_id=performer_id, error=error.message)
