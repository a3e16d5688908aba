"""Which chain of + is one sum over the steps, however many of its sums are looked at together."""

import pytest

from tinygrad_rnn import draw
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Value
from tinygrad_rnn.draw import totals
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.draw.survey import survey
from tinygrad_rnn.draw.totals import running_total
from tinygrad_rnn.draw.window import Window

T = 11


def terms(first=1):
    """A loss for every step."""
    w, h, found = Value(0.5, name="w"), Value(0.3, name="h0"), []
    for t in range(first, T + 1):
        with timestep(t):
            h = ops.tanh(w * h).named("h")
            found.append((h * h).named("L"))
    return found


def added(values, *, names=None, within=0):
    """Their sum, one after the other: `names` of some sums, and how many are made `within` the
    steps of their terms."""
    total = values[0]
    for i, x in enumerate(values[1:], 1):
        if i <= within:
            with timestep(i + 1):
                total = total + x
        else:
            total = total + x
        if names and i in names:
            total = total.named(names[i])
    return total


def total_of(root):
    return running_total(survey(root, Window()))


@pytest.fixture(autouse=True, params=[1, 2, 3, 10, 1000])
def at_once(request, monkeypatch):
    monkeypatch.setattr(totals, "AT_ONCE", request.param)


def test_a_chain_after_the_last_step_is_one_sum():
    every = terms()
    total = total_of(added(every) * 0.5)
    assert set(total.terms) == set(every)
    assert len(total.terms) == T
    assert [x for x, _, _ in total.uses(every)] == every
    assert [x for x, _, _ in total.uses(every[3:5])] == every[3:5]
    assert all(node.operands[position] is x for x, position, node in total.uses(every))
    assert len(total.adders) == T - 1


@pytest.mark.parametrize("i", [1, 2, 5, T - 2])
def test_a_sum_of_another_name_is_a_thing_of_its_own(i):
    assert total_of(added(terms(), names={i: "half"})) is None
    assert total_of(added(terms(), names={i: "half", T - 1: "all"})) is None
    assert len(total_of(added(terms(), names={i: "all", T - 1: "all"})).terms) == T
    assert len(total_of(added(terms(), names={T - 1: "all"})).terms) == T


@pytest.mark.parametrize("within", [1, 2, 5, T - 2])
def test_a_sum_that_was_made_in_a_step_is_a_term_of_the_later_ones(within):
    every = terms()
    root = added(every, within=within)
    total = total_of(root)
    assert {node.step for node in total.adders} == {None}
    assert len(total.adders) == T - 1 - within
    *later, first = [x for x, _, _ in total.uses(total.terms)]  # in the order they were made in
    assert later == every[within + 1:]
    assert (first.step, first.op) == (within + 1, ops.add)


@pytest.mark.parametrize("i", [0, 1, 4, T - 2])
def test_a_term_without_a_step_or_a_number_is_no_term_of_a_step(i):
    every = terms()
    once = [*every[:i + 1], every[i] * 2.0, *every[i + 1:]]
    assert total_of(added(once)) is None
    before = added(every[:i + 1]) + 1.0
    rest = before
    for x in every[i + 1:]:
        rest = rest + x
    found = total_of(rest)
    assert found is None or len(found.terms) == T


def test_a_term_that_is_a_sum_of_terms_is_gone_into():
    every = terms()
    pair = every[4] + every[5]
    total = total_of(added([*every[:4], pair, *every[6:]]))
    assert [x for x, _, _ in total.uses(total.terms)] == every


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("T", [2, 3, 9])
def test_a_sum_that_a_state_is_made_of_is_no_total(T, squared):
    """The last h_t = tanh(u_t + h_{t-1}) stood at the end of a rail, as the sum of two steps."""
    w, h = Value(0.5, name="w"), Value(0.1, name="h0")
    for t in range(1, T + 1):
        with timestep(t):
            h = ops.tanh(w * Value(0.1 * t, name="x") + h).named("h")
    root = h * h if squared else h
    words = [plain(box.text) for box in draw.unrolled(root, first=T).drawing.boxes]
    assert words.count("tanh") == words.count("+") == T
    assert "Σ" not in words
    assert not any(box.dashed for box in draw.rolled(root).drawing.boxes if box.role != "initial")
