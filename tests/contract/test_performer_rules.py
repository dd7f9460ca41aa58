"""What a Performer may say: every combination that can not work is refused with its words."""

from typing import Any

import pytest
from hourglass_common.kube.resources import PERFORMERS

from tests.support.bad_specs import BAD_SPECS, BadSpec
from tests.support.kube_requests import KubeRequests
from tests.support.kube_samples import performer, says

_DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize("bad", BAD_SPECS, ids=lambda bad: f"{bad.field}: {bad.text}"[-60:])
async def test_what_can_not_work_is_refused_with_its_field_and_words(
    api: KubeRequests, space: str, bad: BadSpec
) -> None:
    answer = await api.create(PERFORMERS, space, bad.manifest(), dryRun="All")
    refused = answer.refused(422, "Invalid")
    assert bad.text in refused.causes[bad.field]
    others = {field for field in refused.causes if field.strip(".") != bad.field}
    assert others <= {"<nil>"}, "one mistake is named once"


@pytest.mark.parametrize(
    "spec",
    [
        {"image": f"registry.example.com:5000/team/x__y/p-1.2:V1_2.3@{_DIGEST}"},
        {"image": f"demo@{_DIGEST}"},
        {"image": "Registry/team/demo"},
        {"image": "[fe80::1]:5000/demo:1"},
        {"image": "process:///usr/bin/Performer"},
        {"image": "r.io/" + "b" * 250 + ":" + "t" * 128},
        {"avsAddress": "an-AVS-by-name"},
        {"config": {"environment": {".hidden": "1", "-x": "2", "a.b-C_9": "3"}}},
        {"imagePullSecrets": [{}, {"name": ""}, {"name": "a.b-c"}]},
        {"resources": {"requests": {"cpu": 1}, "limits": {"cpu": "1000m"}}},
        {"resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}}},
        {"resources": {"requests": {"a.io/b": 1}, "limits": {"a.io/b": "1"}}},
        {"resources": {"limits": {"a.io/b": "2k", "hugepages-2Mi": "4Mi", "cpu": 1}}},
        {"resources": {"limits": {"nvidia.com/gpu": "1"}}, "hardwareRequirements": {"gpuCount": 1}},
        {"scheduling": {"nodeSelector": {"a.b/C_d": "", "e": "F.g-H"}}},
        {"scheduling": {"tolerations": [{"operator": "Exists"}, {"key": "k"}]}},
        {"scheduling": {"affinity": {"nodeAffinity": {}, "podAffinity": {}}}},
        {"hardwareRequirements": {"teeType": "nitro"}},
        {
            "scheduling": {"nodeSelector": {"pool": "a"}},
            "hardwareRequirements": {"customLabels": {"pool": "a"}},
        },
        {"rollout": {"decision": {"action": "Promote", "revision": "a", "decidedForHash": "a"}}},
        {"rollout": {"decision": {"action": "Rollback", "decidedForHash": "a"}}},
        {"network": {"ingressFrom": [{"podSelector": {}}, {"ipBlock": {"cidr": "::/0"}}]}},
        {"network": {"egress": [{}, {"ports": [{"port": "dns"}, {"port": 1, "endPort": 9}]}]}},
    ],
    ids=str,
)
async def test_what_is_odd_and_works_is_taken(
    api: KubeRequests, space: str, spec: dict[str, Any]
) -> None:
    made = (await api.create(PERFORMERS, space, performer(**spec), dryRun="All")).ok()
    assert says(made["spec"], spec)
