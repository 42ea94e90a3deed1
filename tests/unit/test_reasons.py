"""Revocation reasons: RFC 5280's, by name or code."""

from __future__ import annotations

import pytest

from sectigo_iot import CRLReason, UnknownReasonError, revoke_reason_code


def test_the_codes_are_those_of_the_rfc_and_7_is_none() -> None:
    assert [int(reason) for reason in CRLReason] == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]


@pytest.mark.parametrize("reason", list(CRLReason))
def test_every_reason_is_found_by_name_and_code(reason: CRLReason) -> None:
    for given in (reason.name, reason.name.upper(), int(reason), str(int(reason)), reason):
        assert revoke_reason_code(given) is reason


@pytest.mark.parametrize(
    "text", ["key compromise", "KEY-COMPROMISE", "key_compromise", " Key  Compromise\n", "1", " 1 "]
)
def test_case_blanks_hyphens_and_underscores_do_not_matter(text: str) -> None:
    assert revoke_reason_code(text) is CRLReason.keyCompromise


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_nothing_means_unspecified(nothing: str | None) -> None:
    assert revoke_reason_code(nothing) is CRLReason.unspecified


@pytest.mark.parametrize(
    "text", ["7", 7, 11, -1, "01", "value 7 is not used", "compromise", "keyCompromised", "1.0", "-1", "1-0"]
)
def test_anything_else_is_refused_with_the_list(text: str | int) -> None:
    with pytest.raises(UnknownReasonError) as caught:
        revoke_reason_code(text)
    assert caught.value.hint
    assert "keyCompromise (1)" in caught.value.hint
