"""Steps, scopes, phases, sites, and the switches that set them."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.core.place import here


def made():
    return tg.Value(1.0) * 2.0


def test_a_node_remembers_its_step():
    with tg.timestep(3):
        inside = made()
    assert (inside.step, made().step) == (3, None)
    with tg.timestep(np.int64(4)):
        assert made().step == 4
        assert type(made().step) is int


def test_steps_nest_and_can_be_entered_again():
    with tg.timestep(1):
        with tg.timestep(2):
            inner = made()
        outer = made()
    with tg.timestep(1):
        again = made()
    assert (inner.step, outer.step, again.step) == (2, 1, 1)


def test_scopes_nest():
    with tg.scope("encoder"), tg.scope("layer 0"):
        assert made().scope == "encoder/layer 0"
    assert made().scope == ""


def test_a_scope_is_nested_where_it_is_entered():
    kept = tg.scope("cell")
    with tg.scope("encoder"), kept:
        assert made().scope == "encoder/cell"
    with tg.scope("decoder"), kept:
        assert made().scope == "decoder/cell"
    with kept:
        assert made().scope == "cell"


def test_decorated_functions():
    @tg.timestep(2)
    @tg.scope("cell")
    def f():
        return made()

    with tg.scope("encoder"):
        assert (f().step, f().scope) == (2, "encoder/cell")
    assert (made().step, made().scope) == (None, "")


def test_leaves_and_constants_are_stamped():
    with tg.timestep(5), tg.scope("input"):
        x, y = tg.Tensor([1.0]), tg.Value(1.0)
        z = x * 2.0
    assert [(n.step, n.scope) for n in (x, y, z)] == [(5, "input")] * 3


def test_no_grad_nests_with_the_others():
    v = tg.Value(1.0)
    with tg.timestep(1), tg.no_grad():
        y = v * v
    assert (y.requires_grad, y.step, y.is_leaf, y.operands) == (False, 1, True, ())
    assert here().recording


def test_the_creation_site_on_request():
    with tg.record_sites():
        y = made()
        z = tg.Tensor([1.0], requires_grad=True).reshape(1, 1) + 1.0
    file, _, line = y.site.rpartition(":")
    assert file == __file__
    assert int(line) == made.__code__.co_firstlineno + 1
    assert z.site.startswith(__file__)
    assert made().site is None


def test_a_gradient_inherits_the_place_of_its_node():
    v = tg.Value(0.5)
    with tg.timestep(7), tg.scope("cell"):
        y = tg.tanh(v)
    g = tg.grad(y, v, create_graph=True)
    made_ = [n for n in tg.nodes(g) if n.phase == "backward" and not n.is_leaf]
    assert made_
    assert {(n.step, n.scope) for n in made_} == {(7, "cell")}
    assert (y.phase, v.phase) == ("forward", "forward")


@pytest.mark.parametrize("enter", [tg.no_grad, tg.record_sites, lambda: tg.timestep(1)])
def test_a_switch_can_be_entered_within_itself(enter):
    switch, before = enter(), here()
    with switch:
        inside = here()
        with switch:
            assert here() is not before
        assert here() is inside
    assert here() is before


@pytest.mark.parametrize("t", [True, 1.5, "1", 2**62, -10**30, 10**4000])
def test_a_step_is_a_whole_number_of_64_bits(t):
    """Some drawings of flows failed with an OverflowError at a larger one."""
    with pytest.raises(tg.InputError, match=r"^timestep\(t\) needs a "):
        tg.timestep(t)
