"""When faults strike, which rules make sense, and how a rule is written."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.faults.catalogue import FAULTS, HOSTILE, calls_of, check_rule, docs_table, parse_rule
from sectigo_iot.emulator.faults.plan import Counts, Plan
from sectigo_iot.endpoints import ENDPOINTS

DEVICES = ("devices", "GET")
STATUS = ("batchStatus", "GET")
ORDER = ("createSingleCertBatch", "PUT")


def names(plan: Plan, calls: Iterable[tuple[str, str]]) -> list[str | None]:
    chosen = [plan.choose(*call) for call in calls]
    return [None if rule is None else rule.fault for rule in chosen]


def test_a_rule_without_conditions_strikes_each_call_that_fits() -> None:
    plan = Plan(1, [Rule(fault="reset", calls=("devices",))])
    assert names(plan, [DEVICES, STATUS, DEVICES]) == ["reset", None, "reset"]


def test_a_rule_without_calls_strikes_those_that_its_fault_can() -> None:
    plan = Plan(1, [Rule(fault="zip-cut")])
    assert names(plan, [DEVICES, ("download", "GET")]) == [None, "zip-cut"]


def test_the_second_name_of_a_call_is_understood() -> None:
    assert names(Plan(1, [Rule(fault="reset", calls=("uploadCSR",))]), [("upload", "POST")]) == ["reset"]


@pytest.mark.parametrize("call", [("devices", "POST"), ("/crl/issuing.crl", "GET"), ("createSingleCertBatch", "GET")])
def test_what_is_no_call_is_not_struck_and_not_counted(call: tuple[str, str]) -> None:
    plan = Plan(1, [Rule(fault="reset", nth=(1,))])
    assert names(plan, [call, DEVICES]) == [None, "reset"]


def test_a_call_whose_method_nobody_knows_is_struck_under_any() -> None:
    assert names(Plan(1, [Rule(fault="reset")]), [("users", "DELETE")]) == ["reset"]


def test_percents_are_kept_over_many_calls_and_repeat_under_the_seed() -> None:
    rules = [Rule(fault="reset", percent=30)]
    first, again, other = (names(Plan(seed, rules), [DEVICES] * 2000) for seed in (5, 5, 6))
    assert first == again != other
    assert 540 <= Counter(first)["reset"] <= 660


@pytest.mark.parametrize(("percent", "struck"), [(0, 0), (100, 500)])
def test_the_ends_of_percent(percent: float, struck: int) -> None:
    found = names(Plan(1, [Rule(fault="reset", percent=percent)]), [DEVICES] * 500)
    assert Counter(found)["reset"] == struck


def test_interleaving_changes_nothing_for_a_call() -> None:
    rules = [Rule(fault="reset", percent=40), Rule(fault="hang", percent=40)]
    alone = names(Plan(3, rules), [DEVICES] * 100)
    mixed = names(Plan(3, rules), [STATUS, DEVICES, STATUS] * 100)[1::3]
    assert alone == mixed
    assert set(alone) == {"reset", "hang", None}


def test_two_rules_draw_for_themselves() -> None:
    plan = Plan(3, [Rule(fault="reset", percent=50), Rule(fault="hang", percent=50)])
    counts = Counter(names(plan, [DEVICES] * 2000))
    assert 400 <= counts["hang"] <= 600


def test_nth_counts_the_calls_that_fit() -> None:
    plan = Plan(1, [Rule(fault="reset", calls=("devices", "batchStatus"), nth=(2, 4))])
    assert names(plan, [DEVICES, ORDER, STATUS, DEVICES, DEVICES, DEVICES]) == [
        None,
        None,
        "reset",
        None,
        "reset",
        None,
    ]


def test_nth_counts_also_where_another_rule_was_first() -> None:
    plan = Plan(1, [Rule(fault="reset", nth=(1,)), Rule(fault="hang", nth=(1, 2))])
    assert names(plan, [DEVICES] * 3) == ["reset", "hang", None]


def test_times_ends_a_rule() -> None:
    plan = Plan(1, [Rule(fault="reset", times=2), Rule(fault="hang")])
    assert names(plan, [DEVICES] * 3) == ["reset", "reset", "hang"]


def test_one_shots_go_first_in_order_and_are_used_up() -> None:
    plan = Plan(1, [Rule(fault="null")])
    for rule in (Rule(fault="reset"), Rule(fault="hang", calls=("batchStatus",)), Rule(fault="empty", times=2)):
        plan.queue(rule)
    assert names(plan, [DEVICES, DEVICES, STATUS, STATUS, STATUS]) == ["reset", "empty", "hang", "empty", "null"]
    assert plan.queued == ()


def test_a_one_shot_may_wait_for_a_later_call() -> None:
    plan = Plan(1)
    plan.queue(Rule(fault="reset", nth=(3,)))
    assert names(plan, [DEVICES] * 4) == [None, None, "reset", None]


def test_removing_a_rule_leaves_the_draws_of_the_others() -> None:
    rules = [Rule(fault="hang", calls=("batchStatus",)), Rule(fault="reset", percent=50)]
    plan = Plan(9, rules)
    plan.remove(0)
    assert plan.rules == (rules[1],)
    assert names(plan, [DEVICES] * 50) == names(Plan(9, rules), [DEVICES] * 50)


@pytest.mark.parametrize("index", [-1, 1])
def test_removing_what_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        Plan(1, [Rule(fault="reset")]).remove(index)


def test_a_cleared_plan_is_as_new() -> None:
    plan = Plan(4, [Rule(fault="hang", times=1)])
    plan.queue(Rule(fault="reset"))
    names(plan, [DEVICES] * 7)
    plan.clear()
    assert (plan.rules, plan.queued) == ((), ())
    rule = Rule(fault="reset", percent=50)
    plan.add(rule)
    assert names(plan, [DEVICES] * 50) == names(Plan(4, [rule]), [DEVICES] * 50)


def test_a_plan_goes_on_from_its_counts_through_json() -> None:
    plan = Plan(8, [Rule(fault="reset", percent=50, times=9), Rule(fault="hang", nth=(12,))])
    plan.queue(Rule(fault="null", nth=(11,)))
    names(plan, [DEVICES] * 10)
    kept = msgspec.json.encode(plan.counts())
    expected = names(plan, [DEVICES] * 20)
    other = Plan(8)
    other.restore(msgspec.json.decode(kept, type=Counts))
    assert names(other, [DEVICES] * 20) == expected
    assert "null" in expected


def test_counts_do_not_change_with_the_plan() -> None:
    plan = Plan(8, [Rule(fault="reset")])
    counts = plan.counts()
    names(plan, [DEVICES] * 3)
    assert (counts.calls, counts.rules[0].strikes) == ({}, 0)
    plan.restore(counts)
    names(plan, [DEVICES])
    assert counts.rules[0].strikes == 0


def test_fractions_are_pure_and_spread() -> None:
    plan = Plan(2)
    drawn = [plan.fraction("life", number) for number in range(1000)]
    assert drawn == [Plan(2).fraction("life", number) for number in range(1000)]
    assert all(0 <= each < 1 for each in drawn)
    assert 0.45 < sum(drawn) / 1000 < 0.55
    assert plan.fraction("a", "b") != plan.fraction("ab")


def test_draws_belong_to_the_latest_call() -> None:
    def draw(plan: Plan) -> list[float]:
        plan.choose(*DEVICES)
        drawn = plan.draws("devices")
        return [drawn(), drawn()]

    plan, other = Plan(2), Plan(2)
    found = [draw(plan), draw(plan)]
    assert found == [draw(other), draw(other)]
    assert len({each for pair in found for each in pair}) == 4


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"fault": "lost-repyl"}, "fault 'lost-repyl' is not known; did you mean 'lost-reply'?"),
    ({"fault": ""}, "fault '' is not known"),
    ({"fault": "reset", "calls": ("device",)}, "calls: there is no endpoint 'device'; did you mean 'devices'?"),
    ({"fault": "zip-cut", "calls": ("devices",)}, "calls: zip-cut cannot strike devices, only download"),
    ({"fault": "token-dropped", "calls": ("refresh",)}, "calls: token-dropped cannot strike refresh"),
    ({"fault": "reset", "calls": ["devices"]}, "calls must be a tuple"),
    ({"fault": "reset", "percent": 101}, "percent 101"),
    ({"fault": "reset", "percent": -0.1}, "percent -0.1"),
    ({"fault": "reset", "percent": math.nan}, "percent nan"),
    ({"fault": "reset", "percent": True}, "percent True"),
    ({"fault": "reset", "percent": 5, "nth": (1,)}, "percent: not together with nth"),
    ({"fault": "reset", "nth": (1, 0)}, "nth 0 is not 1 or more"),
    ({"fault": "reset", "nth": (1.5,)}, "nth 1.5 is not an integer"),
    ({"fault": "reset", "times": 0}, "times 0 is not 1 or more"),
    ({"fault": "reset", "seconds": 1}, "seconds: reset takes no such detail; those that it takes: none"),
    ({"fault": "late-reply", "status": 500}, "status: late-reply takes no such detail; those that it takes: seconds"),
    ({"fault": "late-reply", "seconds": -1}, "seconds -1"),
    ({"fault": "late-reply", "seconds": math.inf}, "seconds inf"),
    ({"fault": "late-reply", "seconds": 86401}, "seconds 86401"),
    ({"fault": "html", "status": 199}, "status 199 is not between 200 and 599"),
    ({"fault": "html", "status": 600}, "status 600"),
    ({"fault": "html", "value": "later"}, "value 'later' is none of handled"),
    ({"fault": "cut-reply", "bytes": -1}, "bytes -1"),
    ({"fault": "slow-body", "bytes": 0}, "bytes 0"),
    ({"fault": "slow-body", "bytes": 1.5}, "bytes 1.5 is not an integer"),
    ({"fault": "too-many", "value": "soon"}, "value 'soon' is none of seconds, date, none"),
    ({"fault": "content-type", "value": "a\r\nb: c"}, "value must be printable ASCII"),
    ({"fault": "content-type", "value": " a"}, "value must be printable ASCII"),
    ({"fault": "content-type", "value": 7}, "value must be printable ASCII"),
    ({"fault": "redirect-host", "value": "other.test"}, "value 'other.test' is not what is wanted"),
    ({"fault": "mandatory-parameter", "value": ""}, "value '' is not what is wanted"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG)
def test_a_rule_that_makes_no_sense_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_rule(Rule(**fields))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("reset", Rule(fault="reset")),
        (
            "lost-reply,call=createSingleCertBatch,nth=1",
            Rule(fault="lost-reply", calls=("createSingleCertBatch",), nth=(1,)),
        ),
        ("slow-body, percent=30, bytes=10", Rule(fault="slow-body", percent=30, bytes=10)),
        (
            "hang,calls=download+batchStatus,nth=1+3,times=2",
            Rule(fault="hang", calls=("download", "batchStatus"), nth=(1, 3), times=2),
        ),
        ("too-many,status=429,seconds=1.5,value=date", Rule(fault="too-many", status=429, seconds=1.5, value="date")),
        (
            "content-type,value=text/plain;charset=UTF-8;x=y",
            Rule(fault="content-type", value="text/plain;charset=UTF-8;x=y"),
        ),
        ("content-type,value=", Rule(fault="content-type", value="")),
        ("clock-skewed,seconds=-60", Rule(fault="clock-skewed", seconds=-60)),
    ],
)
def test_a_rule_in_a_text(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "fault '' is not known"),
        ("hnag", "fault 'hnag' is not known; did you mean 'hang'?"),
        ("hang,percnt=3", "'percnt' is no detail of a fault; did you mean 'percent'?"),
        ("hang,", "'' is no detail of a fault"),
        ("hang,percent", "percent: a value is missing"),
        ("hang,call=devices,calls=users", "calls is given twice"),
        ("hang,percent=many", "percent 'many' is not a number"),
        ("hang,percent=nan", "percent 'nan' is not a number"),
        ("hang,nth=1+x", "nth 'x' is not an integer"),
        ("hang,nth=", "nth '' is not an integer"),
        ("hang,call=", "calls: there is no endpoint ''"),
        ("hang,times=1e3", "times '1e3' is not an integer"),
        ("hang,times=\u0661", "times '\u0661' is not an integer"),
        ("late-reply,seconds=1_0", "seconds '1_0' is not a number"),
    ],
)
def test_a_text_that_is_no_rule(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_rule(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_the_catalogue_agrees_with_itself(fault: Any) -> None:
    rule = Rule(fault=fault.name)
    check_rule(rule)
    check_rule(fault.filled(rule))
    assert calls_of(rule) <= set(ENDPOINTS)
    assert fault.summary.endswith(".")
    row = next(line for line in docs_table().splitlines() if line.startswith(f"| `{fault.name}` |"))
    assert row.count("|") == 5
    for name, option in fault.options.items():
        assert f"`{name}" in row
        assert all(f"`{name}={choice}`" in row or choice in row for choice in option.choices)


def test_the_hostile_mixture_makes_sense_and_lets_calls_through() -> None:
    for rule in HOSTILE:
        check_rule(rule)
    orders = Counter(names(Plan(1, HOSTILE), [ORDER] * 2000))
    assert 60 <= orders["lost-reply"] <= 140
    assert not {"reset", "unavailable", "hang"} & set(orders)
    reads = Counter(names(Plan(1, HOSTILE), [STATUS] * 2000))
    failed = sum(reads[each] for each in ("unavailable", "too-many", "reset", "token-dropped"))
    assert 120 <= failed <= 280
