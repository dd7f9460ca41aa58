"""What the parts of a Performer's spec must be to one another, in CEL. Pure."""

from .names import literal
from .resource_rules import SGX_RESOURCE, same_number
from .schema import Rule

_HARDWARE = "self.hardwareRequirements"
_GPU = (
    f"'nvidia.com/' + (has({_HARDWARE}.gpuType) && {_HARDWARE}.gpuType != '' ? "
    f"{_HARDWARE}.gpuType : 'gpu')"
)
_NO_GPU = f"(!has({_HARDWARE}.gpuCount) || {_HARDWARE}.gpuCount == 0)"
_NO_TEE = (
    f"(!has({_HARDWARE}.teeRequired) || !{_HARDWARE}.teeRequired || !has({_HARDWARE}.teeType))"
)


def _hardware_alone_says(kind: str) -> tuple[Rule, Rule]:
    """Return the rules that ``requests`` or ``limits`` do not contradict the hardware."""
    absent = f"!has({_HARDWARE}) || !has(self.resources) || !has(self.resources.{kind})"
    holder = f"self.resources.{kind}"
    gpus = same_number(holder, _GPU, f"{_HARDWARE}.gpuCount")
    enclaves = same_number(holder, literal(SGX_RESOURCE), "1")
    return (
        Rule(
            f"{absent} || {_NO_GPU} || {gpus}",
            "GPUs are requested by hardwareRequirements.gpuCount: leave them out here, or give "
            "the same number",
            at=f".resources.{kind}",
        ),
        Rule(
            f"{absent} || {_NO_TEE} || {_HARDWARE}.teeType != 'sgx' || {enclaves}",
            f"teeType sgx requests one {SGX_RESOURCE}: leave it out here, or give 1",
            at=f".resources.{kind}",
        ),
    )


def _tee_label_is_true(holder: str, at: str) -> Rule:
    """Return the rule that node labels do not contradict that of the required TEE."""
    parts = [f"self.{at.rpartition('.')[0]}", holder]
    absent = " || ".join(f"!has({part})" for part in ("self.hardwareRequirements", *parts))
    label = f"'feature.node.kubernetes.io/cpu-security.' + {_HARDWARE}.teeType + '.enabled'"
    return Rule(
        f"{absent} || {_NO_TEE} || {_HARDWARE}.teeType == 'sgx' || "
        f"[{label}].all(key, !(key in {holder}) || {holder}[key] == 'true')",
        "teeRequired asks for nodes with the label of the TEE set to true: leave it out here",
        at=f".{at}",
    )


SPEC_RULES = (
    *_hardware_alone_says("requests"),
    *_hardware_alone_says("limits"),
    Rule(
        "!has(self.scheduling) || !has(self.scheduling.nodeSelector) || "
        f"!has({_HARDWARE}) || !has({_HARDWARE}.customLabels) || "
        f"{_HARDWARE}.customLabels.all(key, !(key in self.scheduling.nodeSelector) || "
        f"self.scheduling.nodeSelector[key] == {_HARDWARE}.customLabels[key])",
        "no node has two values for one label: scheduling.nodeSelector gives another one",
        at=".hardwareRequirements.customLabels",
    ),
    _tee_label_is_true("self.scheduling.nodeSelector", "scheduling.nodeSelector"),
    _tee_label_is_true(f"{_HARDWARE}.customLabels", "hardwareRequirements.customLabels"),
)
