"""
What to load and drop: never more bytes than an exhaustive search over all orders and all drops.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodetool_core.models.planning.load_planner import least_worth, plan_loads
from nodetool_core.models.planning.schedule import Schedule, Use, chain


def brute_force(
    uses: Sequence[Use[str]], sizes: dict[str, int], budget: int, there: Collection[str]
) -> int:
    """Return the fewest bytes over every order and every choice of what to keep."""

    @functools.cache
    def least(done: frozenset[int], held: frozenset[str]) -> float:
        if len(done) == len(uses):
            return 0
        costs = []
        for index, use in enumerate(uses):
            if index in done or not use.after <= done:
                continue
            loaded = sum(sizes[part] for part in use.parts - held)
            everything = sorted(held | use.parts)
            for kept in subsets(everything):
                # While a use runs, its own parts are there whatever the budget; others only where
                # they fit beside it.
                beside = kept - use.parts
                fits = not beside or sum(sizes[part] for part in beside | use.parts) <= budget
                if fits and sum(sizes[part] for part in kept) <= budget:
                    costs.append(loaded + least(done | {index}, kept))
        return min(costs)

    return int(least(frozenset(), frozenset(there)))


def subsets(names: Sequence[str]) -> list[frozenset[str]]:
    return [
        frozenset(some)
        for count in range(len(names) + 1)
        for some in itertools.combinations(names, count)
    ]


def replay(
    schedule: Schedule[str],
    uses: Sequence[Use[str]],
    sizes: dict[str, int],
    budget: int,
    there: Collection[str],
) -> int:
    """
    Return the bytes that a schedule loads, done step by step; fails where a step is not possible.
    """
    held, done, loaded = set(there), set[int](), 0
    for step in schedule.steps:
        use = uses[step.use]
        assert use.after <= done
        assert not step.drops & use.parts
        held -= step.drops
        missing = use.parts - held
        assert missing == step.loads
        loaded += sum(sizes[part] for part in missing)
        held |= use.parts
        if len(held) > len(use.parts):
            assert sum(sizes[part] for part in held) <= budget
        if sum(sizes[part] for part in held) > budget:
            # Oversized: what the schedule still finds there afterwards, it kept.
            held = held & later_assumed(schedule, uses, step.use)
        done.add(step.use)
    assert done == set(range(len(uses)))
    return loaded


def later_assumed(schedule: Schedule[str], uses: Sequence[Use[str]], use: int) -> set[str]:
    """Return what the next step that touches each part takes for granted."""
    position = next(index for index, step in enumerate(schedule.steps) if step.use == use)
    assumed: dict[str, bool] = {}
    for step in schedule.steps[position + 1 :]:
        for part in uses[step.use].parts:
            assumed.setdefault(part, part not in step.loads)
    return {part for part, kept in assumed.items() if kept}


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[Use[str]], dict[str, int], int, list[str]]:
    names = "abcde"[: draw(st.integers(1, 5))]
    sizes = {name: draw(st.integers(1, 9)) for name in names}
    uses = []
    for index in range(draw(st.integers(1, 6))):
        parts = draw(st.frozensets(st.sampled_from(names), min_size=1, max_size=2))
        after = draw(st.frozensets(st.integers(0, index - 1), max_size=2)) if index else frozenset()
        uses.append(Use(parts, after))
    largest = max(sum(sizes[part] for part in use.parts) for use in uses)
    budget = draw(st.integers(largest, max(largest, sum(sizes.values()))))
    there: list[str] = []
    for name in draw(st.permutations(names)):
        if sum(sizes[part] for part in [*there, name]) <= budget and draw(st.booleans()):
            there.append(name)
    return uses, sizes, budget, there


@settings(max_examples=150, deadline=None)
@given(problems())
def test_as_few_bytes_as_any_order_and_any_choice(
    problem: tuple[list[Use[str]], dict[str, int], int, list[str]],
) -> None:
    uses, sizes, budget, there = problem
    schedule = plan_loads(uses, sizes, budget, there)
    assert schedule.is_optimal
    assert (
        schedule.bytes
        == replay(schedule, uses, sizes, budget, there)
        == brute_force(uses, sizes, budget, there)
    )


@settings(max_examples=80, deadline=None)
@given(problems(), st.integers(0, 1))
def test_a_search_that_gives_up_still_gives_a_plan_that_works(
    problem: tuple[list[Use[str]], dict[str, int], int, list[str]], effort: int
) -> None:
    uses, sizes, budget, there = problem
    schedule = plan_loads(uses, sizes, budget, there, effort=effort)
    assert (
        schedule.bytes
        == replay(schedule, uses, sizes, budget, there)
        >= brute_force(uses, sizes, budget, there)
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40), st.integers(1, 5))
def test_equal_sizes_in_one_order_are_paged_as_belady_pages(
    sequence: list[str], slots: int
) -> None:
    schedule = plan_loads(chain(sequence), dict.fromkeys("abcdef", 1), slots)
    assert [step.use for step in schedule.steps] == list(range(len(sequence)))
    assert schedule.bytes == belady_faults(sequence, slots)


def belady_faults(sequence: Sequence[str], slots: int) -> int:
    held, faults = set[str](), 0
    for position, name in enumerate(sequence):
        if name not in held:
            faults += 1
            if len(held) == slots:
                rest = sequence[position:]
                held.remove(
                    max(held, key=lambda part: rest.index(part) if part in rest else len(rest))
                )
            held.add(name)
    return faults


def test_a_use_above_the_budget_has_everything_else_dropped() -> None:
    schedule = plan_loads(chain([{"small"}, {"large"}, {"small"}]), {"small": 2, "large": 20}, 10)
    assert [sorted(step.drops) for step in schedule.steps] == [[], ["small"], []]
    assert schedule.bytes == 24


def test_models_are_ordered_so_that_each_is_loaded_once() -> None:
    pairs = [
        Use(frozenset("a")),
        Use(frozenset("b"), frozenset({0})),
        Use(frozenset("a")),
        Use(frozenset("b"), frozenset({2})),
    ]
    schedule = plan_loads(pairs, {"a": 5, "b": 5}, 5)
    assert [step.use for step in schedule.steps] == [0, 2, 1, 3]
    assert schedule.bytes == 10


def test_the_first_use_and_what_is_pinned_are_kept_to() -> None:
    uses = [Use(frozenset("a")), Use(frozenset("b"))]
    assert plan_loads(uses, {"a": 1, "b": 1}, 1, ["a"], first=1).steps[0].use == 1
    pinned = plan_loads(
        [Use(frozenset("c"))], {"a": 1, "b": 1, "c": 1}, 2, ["a", "b"], first=0, pinned=["a"]
    )
    assert pinned.steps[0].drops == {"b"}


@pytest.mark.parametrize(
    ("worths", "shortfall", "gone"),
    [
        ([(1.0, "small"), (2.0, "large"), (3.0, "medium")], 1, ["small"]),
        ([(1.0, "small"), (2.0, "large"), (3.0, "medium")], 40, ["large"]),
        ([(1.0, "medium"), (2.0, "small"), (3.0, "large")], 6, ["medium"]),
        ([(1.0, "medium"), (2.0, "small"), (3.0, "large")], 0, []),
        ([(1.0, "small")], 500, ["small"]),
    ],
)
def test_no_more_goes_than_is_needed(
    worths: list[tuple[float, str]], shortfall: int, gone: list[str]
) -> None:
    assert least_worth(worths, {"small": 3, "medium": 20, "large": 50}, shortfall) == gone


def test_a_long_plan_takes_little_time() -> None:
    import time

    names = [f"m{index % 9}" for index in range(300)]
    began = time.process_time()
    schedule = plan_loads([Use(frozenset({name})) for name in names], dict.fromkeys(names, 1), 3)
    assert schedule.bytes == 9
    assert time.process_time() - began < 2.0
