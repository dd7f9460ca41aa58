"""Who a token is, and what somebody may do."""

from hourglass_common.kube.resources import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS

from tests.support.covers import covers
from tests.support.kube_requests import KubeRequests


@covers("create tokenreviews.authentication.k8s.io")
async def test_a_token_is_reviewed(api: KubeRequests) -> None:
    good = (await api.create(TOKEN_REVIEWS, None, {"spec": {"token": api.token}})).ok()
    assert good["status"]["authenticated"] is True
    assert good["status"]["user"]["username"] == "admin"
    assert "system:masters" in good["status"]["user"]["groups"]
    bad = (await api.create(TOKEN_REVIEWS, None, {"spec": {"token": "nobody"}})).ok()
    assert not bad["status"].get("authenticated")
    assert bad["status"]["error"]


@covers("create subjectaccessreviews.authorization.k8s.io")
async def test_access_is_reviewed(api: KubeRequests) -> None:
    def spec(**who: object) -> dict[str, object]:
        attributes = {
            "verb": "create",
            "group": "hourglass.eigenlayer.io",
            "resource": "performers",
            "namespace": "default",
        }
        return {"spec": {**who, "resourceAttributes": attributes}}

    admin = spec(user="admin", groups=["system:masters"])
    allowed = (await api.create(SUBJECT_ACCESS_REVIEWS, None, admin)).ok()
    assert allowed["status"]["allowed"] is True
    nobody = (await api.create(SUBJECT_ACCESS_REVIEWS, None, spec(user="nobody"))).ok()
    assert nobody["status"]["allowed"] is False
    nameless = await api.create(SUBJECT_ACCESS_REVIEWS, None, spec())
    assert nameless.status in (400, 422)
