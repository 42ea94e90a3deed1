"""What an order will be: which authority, which parameters, which password."""

from __future__ import annotations

import re
import string

import pytest

from sectigo_iot import (
    Authority,
    InvalidInputError,
    ProfileParameter,
    check_params,
    choose_authority,
    generate_password,
    order_params,
    profile_matches,
)


def authority(
    number: int, profile: int, name: str = "A", *, balance: int | None = 5, enabled: bool = True
) -> Authority:
    return Authority.read(
        {"id": number, "profileId": profile, "profileName": name, "balance": balance, "enabled": enabled}
    )


def rule(name: str, pattern: str | None = None, **more: object) -> ProfileParameter:
    return ProfileParameter.read({"name": name, "required": False, "validationPattern": pattern, **more})


EE = authority(423, 17, "CipherTrace EE_#17")
END = authority(489, 85, "CipherTrace End Entity Certificate_#85")
EMPTY = authority(500, 17, "CipherTrace EE_#17", balance=0)
OFF = authority(501, 90, "Old One", enabled=False)
# The id of one authority is the profile of another.
TWIN = authority(17, 300, "Twin")


@pytest.mark.parametrize(
    ("profile", "matches"),
    [
        ("CipherTrace EE", True),
        ("CipherTrace EE_#17", True),
        (" ciphertrace ee ", True),
        ("17", True),
        (" 17 ", True),
        ("423", False),
        ("CipherTrace", False),
        ("CipherTrace EE_#18", False),
        ("", False),
    ],
)
def test_a_profile_is_named_by_id_or_by_name_with_or_without_its_suffix(profile: str, matches: bool) -> None:
    assert profile_matches(EE, profile) is matches


def test_an_authority_is_chosen_by_its_id() -> None:
    assert choose_authority([EE, END], 489) == (END, None)


def test_an_authority_is_chosen_by_its_profiles_id_and_that_is_noted() -> None:
    choice = choose_authority([EE, END], 85)
    assert choice.authority is END
    assert choice.note == "85 is a profile id: ordering from the authority 489 of that profile"


def test_an_authority_whose_id_is_that_of_its_profile_is_no_riddle() -> None:
    same = authority(423, 423)
    assert choose_authority([same, END], 423) == (same, None)


def test_an_id_that_is_both_an_authority_and_a_profile_is_refused_with_both_listed() -> None:
    with pytest.raises(InvalidInputError, match="17 is the id of one authority and the profile of another") as caught:
        choose_authority([EE, TWIN], 17)
    assert "\n  authority 17: profile 300" in str(caught.value)
    assert "\n  authority 423: profile 17" in str(caught.value)
    assert caught.value.hint
    assert "--authority-id 17" in caught.value.hint


def test_exact_takes_the_id_as_an_authority_alone() -> None:
    assert choose_authority([EE, TWIN], 17, exact=True) == (TWIN, None)
    with pytest.raises(InvalidInputError, match="no authority has id 85"):
        choose_authority([EE, END], 85, exact=True)


@pytest.mark.parametrize(("profile", "chosen"), [("CipherTrace EE", EE), ("Twin", TWIN), ("300", TWIN)])
def test_a_profile_decides_where_an_id_is_both(profile: str, chosen: Authority) -> None:
    assert choose_authority([EE, TWIN], 17, profile=profile).authority is chosen


def test_an_authority_without_the_profile_asked_for_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="does not have the profile 'Other'") as caught:
        choose_authority([EE, END], 423, profile="Other")
    assert "authority 423" in str(caught.value)


def test_an_unknown_id_is_refused_with_a_hint() -> None:
    with pytest.raises(InvalidInputError, match="no authority has id 5") as caught:
        choose_authority([EE, END], 5)
    assert caught.value.hint


def test_a_profile_of_several_enabled_authorities_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="several enabled authorities have the profile id 17") as caught:
        choose_authority([EE, EMPTY], 17)
    assert "authority 423" in str(caught.value)
    assert "authority 500" in str(caught.value)


def test_an_authority_that_is_not_enabled_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="501 is not enabled"):
        choose_authority([EE, OFF], 501)
    with pytest.raises(InvalidInputError, match="no authority has id 90"):
        choose_authority([EE, OFF], 90)


def test_a_named_authority_may_be_without_balance_by_the_list() -> None:
    assert choose_authority([EMPTY, END], 500).authority is EMPTY


def test_without_an_id_the_only_enabled_one_with_balance_is_chosen() -> None:
    assert choose_authority([EE, EMPTY, OFF]) == (EE, None)


def test_without_an_id_a_profile_narrows_the_choice() -> None:
    assert choose_authority([EE, END], profile="85").authority is END
    assert choose_authority([EE, END, EMPTY], profile="CipherTrace EE").authority is EE


def test_without_an_id_several_are_listed() -> None:
    with pytest.raises(InvalidInputError, match="several authorities may be ordered from") as caught:
        choose_authority([EE, END])
    assert "authority 423: profile 17 'CipherTrace EE_#17', balance 5" in str(caught.value)
    assert caught.value.hint == "choose one with -a ID"


def test_a_balance_that_is_not_told_is_none() -> None:
    with pytest.raises(InvalidInputError, match="no authority is enabled and has balance left"):
        choose_authority([authority(1, 2, balance=None)])


def test_where_nothing_can_be_ordered_from_all_are_listed() -> None:
    with pytest.raises(
        InvalidInputError, match="no authority is enabled and has balance left for the profile '17'"
    ) as c:
        choose_authority([EMPTY, OFF], profile="17")
    assert "authority 500: profile 17 'CipherTrace EE_#17', balance 0" in str(c.value)
    assert "501" not in str(c.value)


def test_an_unknown_profile_lists_what_there_is() -> None:
    with pytest.raises(InvalidInputError, match="no authority has the profile 'Other'") as caught:
        choose_authority([EE, OFF], profile="Other")
    assert "authority 423" in str(caught.value)
    assert "authority 501: profile 90 'Old One', balance 5, not enabled" in str(caught.value)


def test_an_account_without_authorities_is_told() -> None:
    with pytest.raises(InvalidInputError, match="no authority is enabled"):
        choose_authority([])


RULES = (
    rule("commonName", "^[a-z.]+$", required=True),
    rule("dNSName", "^[a-z.]+$", message="one name a line"),
    rule("countryName", "^[A-Z]{2}$", required=True, message="two capital letters"),
    rule("organizationName", None),
    rule("pkcs12Password", "^[a-z]{4,}$", required=True, message="four letters"),
)
GOOD = {"commonName": "example.com", "countryName": "US", "pkcs12Password": "secret"}


def test_good_parameters_have_no_fault() -> None:
    assert check_params(RULES, {**GOOD, "dNSName": "a.test\nb.test", "organizationName": "Anything, <here>"}) == ()


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_missing_parameter_is_named(blank: str | None) -> None:
    params = {name: value for name, value in {**GOOD, "commonName": blank}.items() if value is not None}
    assert "commonName is missing" in check_params(RULES, params)


def test_a_parameter_with_a_default_need_not_be_given() -> None:
    assert check_params((rule("countryName", required=True, value="US"),), {}) == ()


def test_an_unknown_parameter_is_named() -> None:
    assert check_params(RULES, {**GOOD, "postalCode": "1"}) == ("postalCode is not a parameter of this profile",)


def test_a_value_against_its_rule_is_shown_with_the_profiles_own_words() -> None:
    assert check_params(RULES, {**GOOD, "countryName": "usa"}) == (
        "countryName 'usa' is refused by the profile: two capital letters",
    )


def test_without_words_the_pattern_is_shown() -> None:
    assert "it must match ^[a-z.]+$" in check_params(RULES, {**GOOD, "commonName": "EXAMPLE"})[0]


def test_a_password_against_its_rule_is_not_shown() -> None:
    (fault,) = check_params(RULES, {**GOOD, "pkcs12Password": "HUSH-1"})
    assert fault == "pkcs12Password is refused by the profile: four letters"


def test_every_fault_is_named_at_once() -> None:
    faults = check_params(RULES, {"countryName": "x", "dNSName": "A", "more": "1"})
    assert len(faults) == 5
    assert faults[:2] == ("commonName is missing", "pkcs12Password is missing")


@pytest.mark.parametrize("value", ["a.test", "a.test\nb.test", "a.test\nb.test\nc.test"])
def test_a_list_of_names_is_checked_line_by_line(value: str) -> None:
    assert check_params(RULES, {**GOOD, "dNSName": value}) == ()


@pytest.mark.parametrize("value", ["a.test\nB", "a.test,b.test", "a.test\n", "a.test\n\nb.test", "\na.test"])
def test_a_list_with_a_bad_line_is_refused(value: str) -> None:
    assert len(check_params(RULES, {**GOOD, "dNSName": value})) == 1


def test_another_parameter_is_no_list() -> None:
    assert len(check_params(RULES, {**GOOD, "commonName": "a.test\nb.test"})) == 1


@pytest.mark.parametrize("pattern", ["(", "[", "(?<n>a)", "\\p{L}+", "a{99999999999}", "(" * 5000])
def test_a_pattern_that_cannot_be_read_decides_nothing(pattern: str) -> None:
    assert check_params((rule("commonName", pattern),), {"commonName": "example.com"}) == ()


def test_derived_parameters_are_sent_only_where_the_profile_knows_them() -> None:
    derived = {"commonName": "a", "organizationName": "O", "unheardOf": "x"}
    assert order_params(RULES, derived, {}) == {"commonName": "a", "organizationName": "O"}


def test_what_was_asked_for_is_sent_whether_the_profile_knows_it_or_not() -> None:
    assert order_params(RULES, {"commonName": "a"}, {"commonName": "b", "more": "x"}) == {
        "commonName": "b",
        "more": "x",
    }


def test_without_a_list_the_three_known_parameters_are_sent() -> None:
    derived = {"commonName": "a", "dNSName": "a", "pkcs12Password": "p", "countryName": "US"}
    assert order_params(None, derived, {"countryName": "CH"}) == {**derived, "countryName": "CH"}
    assert "countryName" not in order_params(None, derived, {})


def test_a_password_has_24_characters_of_three_kinds() -> None:
    password = generate_password()
    assert len(password) == 24
    assert all(set(password) & set(kind) for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits))


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[\x20-\x7e]{8,64}$",
        r"^[A-Za-z0-9]{8,16}$",
        r"^.{12}$",
        r"^.{8,10}$",
        r"^(?=.*[-_.+=!]).{10,}$",
        r"^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])(?=.*[^A-Za-z0-9]).{8,20}$",
        r"^\S+$",
        "(",
    ],
)
def test_a_password_keeps_the_rule(pattern: str) -> None:
    password = generate_password(rule("pkcs12Password", pattern))
    assert pattern == "(" or re.fullmatch(pattern, password)
    assert check_params((rule("pkcs12Password", pattern),), {"pkcs12Password": password}) == ()


def test_no_password_comes_twice() -> None:
    assert len({generate_password() for _ in range(500)}) == 500


def test_a_rule_that_no_password_keeps_is_told() -> None:
    with pytest.raises(InvalidInputError, match="no password could be made") as caught:
        generate_password(rule("pkcs12Password", "^[0-9]{4}$"))
    assert caught.value.hint


@pytest.mark.parametrize("pattern", ["[a-z&&[^x]]+", "[[a-z][0-9]-]+", "/^[a-z]+$/i", "(", "\\p{Lower}+"])
def test_a_pattern_that_python_reads_otherwise_decides_nothing(pattern: str) -> None:
    rule = ProfileParameter.read({"name": "commonName", "required": True, "validationPattern": pattern})
    assert check_params([rule], {"commonName": "Ab1"}) == ()
