"""Whom a client certificate names, by its subject as RFC 2253 writes it."""

import pytest
from hourglass_common.domain.access import AUTHENTICATED, Proof
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.rpc.certificate import certificate_caller


def test_the_user_is_cn_and_the_groups_are_every_o() -> None:
    caller = certificate_caller(b"CN=ann,O=dev,O=ops,OU=x,C=CH")
    assert caller.name == "ann"
    assert caller.groups == ("dev", "ops", AUTHENTICATED)
    assert caller.proof is Proof.CERTIFICATE


def test_parts_of_several_values_are_read_too() -> None:
    caller = certificate_caller(b"O=ops+CN=ann+O=dev,O=x")
    assert (caller.name, caller.groups[:3]) == ("ann", ("ops", "dev", "x"))


def test_what_is_escaped_is_part_of_the_name() -> None:
    caller = certificate_caller(rb"CN=an\,O=admin\+n\C3\A9 \#\\,O=a=b")
    assert caller.name == "an,O=admin+né #\\"
    assert caller.groups == ("a=b", AUTHENTICATED)


def test_groups_that_only_kubernetes_gives_are_left_out() -> None:
    caller = certificate_caller(b"CN=ann,O=system:masters,O=dev,O=system:authenticated")
    assert caller.groups == ("dev", AUTHENTICATED)


@pytest.mark.parametrize(
    "subject",
    [
        b"",
        b"O=dev",
        b"CN=,O=dev",
        b"CN=ann,CN=bob",
        b"CN=system:serviceaccount:kube-system:admin",
        b"CN=system:admin,O=dev",
        rb"CN=\73ystem:admin",
        rb"CN=ann\00,O=dev",
        rb"CN=a\0Ab",
        b"CN=#0C03616E6E",
        rb"CN=\FF",
        b"CN=ann;O=dev",
        b'CN="ann"',
        b"ann",
    ],
)
def test_a_subject_that_names_no_user_of_ours_is_refused(subject: bytes) -> None:
    with pytest.raises(HourglassError) as caught:
        certificate_caller(subject)
    assert caught.value.code is Code.UNAUTHENTICATED
