"""Bugs by which the operator would lend its rights to its callers, that the suite must find."""

from tests.mutants.mutant import Mutant

DOMAIN = "common/hourglass_common/domain"
CONTROL = "operator/hourglass_operator/control"
ADMISSION = "operator/hourglass_operator/admission.py"

TENANCY = "tests/unit/operator/test_tenancy.py"
IMAGES = "tests/unit/operator/test_images.py"
TENANT = "tests/unit/control/test_tenant.py"
POLICIES = "tests/unit/operator/test_admission_policies.py"

_MISSING = "test_the_last_right_that_is_asked_for_is_the_one_that_is_missing"

POLICY_CATALOGUE = (
    Mutant(
        "an image beside a secret may be changed by anybody",
        f"{DOMAIN}/tenancy.py",
        'RUNS_NOTHING = ("replicas",',
        'RUNS_NOTHING = ("image", "replicas",',
        TENANCY,
        f"{_MISSING}[image beside a secret]",
    ),
    Mutant(
        "a decision may be made at birth by anybody",
        f"{DOMAIN}/tenancy.py",
        "    if act and decisions[0] != decisions[1]:",
        "    if act and old and decisions[0] != decisions[1]:",
        TENANCY,
        f"{_MISSING}[decided at birth]",
    ),
    Mutant(
        "a strategy that promotes by itself may be set by anybody",
        f"{DOMAIN}/tenancy.py",
        '    if blue_green and _differ(before, after, "strategy"):',
        "    if blue_green and not after:",
        TENANCY,
        f"{_MISSING}[promoted by itself]",
    ),
    Mutant(
        "an account is nobody's",  # CVE-2025-2843
        f"{DOMAIN}/tenancy.py",
        '        config.get("serviceAccountName"),',
        "        None,",
        TENANCY,
        f"{_MISSING}[account admin]",
    ),
    Mutant(
        "the name of a registry is the beginning of another",
        f"{DOMAIN}/images.py",
        'startswith(f"{one}/")',
        "startswith(one)",
        IMAGES,
        "test_a_registry_ends_where_its_name_ends",
    ),
    Mutant(
        "every caller is a laptop's",
        f"{CONTROL}/tenant.py",
        "        if caller.proof is Proof.LOOPBACK:",
        "        if caller.proof:",
        TENANT,
        "test_all_that_is_missing_is_told_at_once",
    ),
    Mutant(
        "two references are asked about in one expression",
        ADMISSION,
        '    return Validation(f"{unless} || {_allowed(about)}", said(field, words.format(about)))',
        '    return Validation(f"{unless} || {_allowed(about)} || {_allowed(about)}", '
        "said(field, words.format(about)))",
        POLICIES,
        "test_an_expression_has_at_most_one_authorizer_check",
    ),
    Mutant(
        "all accounts of the operator's namespace are left out",
        ADMISSION,
        '    condition = f"request.userInfo.username != {literal(exempt)}"',
        '    condition = f"!request.userInfo.username.startsWith({literal(exempt[:-2])})"',
        POLICIES,
        "test_the_operators_account_alone_is_left_out",
    ),
)
