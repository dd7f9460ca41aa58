"""What a support bundle must not tell: a canary in every place where a secret may be."""

import json

import pytest
from hourglass_cli.bundle.contents import Contents
from hourglass_cli.bundle.redaction import Redaction

CANARY = "canary-6f1d9b"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def pod(**container: object) -> dict[str, object]:
    return {"kind": "Pod", "spec": {"containers": [{"name": "performer", **container}]}}


@pytest.mark.parametrize(
    "manifest",
    [
        pod(env=[{"name": "KEY", "value": CANARY}]),
        pod(args=[f"--key={CANARY}"]),
        pod(args=["--key", CANARY]),
        pod(args=[f"serve --key {CANARY}"]),
        pod(command=["/bin/app", CANARY]),
        pod(command=["sh", "-c", f"app {CANARY}"]),
        {"spec": {"config": {"environment": {"KEY": CANARY}}}},
        {"spec": {"config": {"args": [CANARY]}}},
        {"spec": {"strategy": {"gate": {"smokeTask": {"payload": CANARY}}}}},
        {"metadata": {"annotations": {"example.com/note": CANARY}}},
        {"metadata": {"annotations": {LAST_APPLIED: json.dumps(pod(args=[CANARY]))}}},
        {"metadata": {"managedFields": [{"fieldsV1": {f'k:{{"name":"{CANARY}"}}': {}}}]}},
        {"kind": "Secret", "data": {"a": CANARY}, "stringData": {"b": CANARY}},
    ],
)
def test_a_canary_is_gone_from_an_object_and_from_what_quotes_it(
    manifest: dict[str, object],
) -> None:
    contents = Contents(Redaction())
    if "metadata" not in manifest or "annotations" in str(manifest):  # names are no secrets
        contents.put("before.log", f"refused: {CANARY}")
    contents.put_objects("object.yaml", [manifest])
    written = b"".join(contents.finished().values())
    assert CANARY.encode() not in written


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {CANARY}",
        f"authorization: bearer {CANARY}=",
        f"password={CANARY}",
        f'{{"apiToken": "{CANARY}"}}',
        f"DB_PASSWORD: {CANARY}",
        f"https://admin:{CANARY}@10.0.0.1:6443/api",
        f"-----BEGIN EC PRIVATE KEY-----\n{CANARY}\n-----END EC PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
        f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.{CANARY.replace('-', '_')}",
    ],
)
def test_what_looks_like_a_credential_is_cut_out_of_any_text(text: str) -> None:
    assert "canary" not in Redaction().text(text)


def test_the_credentials_that_were_used_to_ask_are_known_from_the_start() -> None:
    assert CANARY not in Redaction([CANARY]).text(f"asked as {CANARY}!")


def test_what_helps_is_left() -> None:
    manifest = {
        "metadata": {
            "name": "demo",
            "annotations": {"hourglass.eigenlayer.io/promoted": "3"},
            "labels": {"team": "a"},
        },
        "spec": {
            "image": "demo:1",
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "command": ["/bin/app", "--verbose"],
                    "args": ["--level=debug"],
                    "env": [
                        {"name": "GRPC_PORT", "value": "9090"},
                        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    ],
                }
            ],
        },
        "status": {"reason": "ImagePullFailed", "message": "demo:1 is not there"},
    }
    cleaned = Redaction().manifest(manifest)
    expected = json.loads(json.dumps(manifest))
    expected["spec"]["containers"][0]["args"] = ["--level=<removed>"]
    assert cleaned == expected
    assert Redaction().text("automountServiceAccountToken: false") == (
        "automountServiceAccountToken: false"
    )
