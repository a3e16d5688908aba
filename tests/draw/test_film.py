"""The film of the player: what the page is told, moment by moment and use by use."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import opened
from tinygrad_rnn.draw import equations
from tinygrad_rnn.draw.moments import Film, coordinates
from tinygrad_rnn.draw.survey import survey
from tinygrad_rnn.draw.window import Window

from .films import KINDS, added, both_ways, hello, priced, scalar, told

GOLDEN = Path(__file__).parent / "golden" / "player.json"


def test_every_operation_is_a_moment_once_forward_and_once_back():
    loss, *_ = hello()
    flow = tg.gradient_flow(loss)
    film = told(draw.player(flow))
    kinds = [m["kind"] for m in film["moments"]]
    count = sum(1 for node in tg.nodes(loss) if node.op.rules)
    assert kinds == ["forward"] * count + ["turn"] + ["backward"] * (len(kinds) - count - 1)
    back = [m["node"] for m in film["moments"] if m["kind"] == "backward"]
    assert len(set(back)) == len(back)
    forward = [m["node"] for m in film["moments"] if m["kind"] == "forward"]
    assert set(back) <= set(forward)


def test_the_uses_of_a_node_add_up_to_its_gradient():
    loss, rnn, head = hello()
    flow = tg.gradient_flow(loss)
    film = told(draw.player(flow))
    for x in (rnn.cell.W_hh, rnn.cell.W_xh, rnn.cell.b_h, head.W_hy, head.b_y):
        total, uses = added(film, x.name)
        assert len(uses) == 4
        assert np.linalg.norm(total) == pytest.approx(np.linalg.norm(x.grad), rel=1e-5)
        if x.value.size <= 12:
            np.testing.assert_allclose(total, x.grad.reshape(-1), rtol=1e-4, atol=1e-6)


def test_each_term_of_the_loss_has_its_own_part():
    loss, rnn, _ = hello(T=5)
    film = told(draw.player(tg.gradient_flow(loss)))
    assert film["terms"] == ["L₁", "L₂", "L₃", "L₄", "L₅"]
    terms = sorted((n for n in tg.nodes(loss) if n.name == "L" and n.step), key=lambda n: n.step)
    for t, term in enumerate(terms):
        alone = tg.grad(term, rnn.cell.W_hh)
        total, _ = added(film, "W_hh", {t})
        assert np.linalg.norm(total) == pytest.approx(np.linalg.norm(alone.value), rel=1e-4,
                                                      abs=1e-9)
    two, _ = added(film, "W_hh", {1, 3})
    both = tg.grad(terms[1] + terms[3], rnn.cell.W_hh).value
    assert np.linalg.norm(two) == pytest.approx(np.linalg.norm(both), rel=1e-5)


def test_a_scalar_recurrence_with_a_running_total():
    total, w = scalar()
    film = told(draw.player(tg.gradient_flow(total)))
    assert film["terms"] == ["L₁", "L₂", "L₃"]
    summed, uses = added(film, "w")
    assert float(summed[0]) == pytest.approx(w.grad, rel=1e-5)
    assert [use["count"] for use in uses] == [1, 1, 1]
    moment = next(m for m in film["moments"] if m["kind"] == "forward")
    assert moment["equation"] == "w × x₀"
    rule = film["uses"][next(i for i, u in enumerate(film["uses"]) if u is uses[0])]["rule"]
    assert rule == [["g"], " · ", ["o", 1]]


def test_a_shared_state_receives_from_above_and_from_the_future():
    loss, *_ = hello()
    flow = tg.gradient_flow(loss)
    film = told(draw.player(flow))
    _, uses = added(film, "h₂", step=2)
    assert len(uses) == 2  # W_hy h_2 and W_hh h_2
    by = [film["nodes"][use["by"]]["step"] for use in uses]
    assert sorted(by) == [2, 3]


def test_a_long_sequence_keeps_its_ends_and_adds_up_what_is_hidden():
    loss, rnn, _ = hello(T=300)
    film = told(draw.player(tg.gradient_flow(loss)))
    assert film["gap"] == "steps 5 … 296, not in this film"
    assert len(film["moments"]) < 250
    total, uses = added(film, "W_hh")
    assert sum(use["count"] for use in uses) == 300
    assert [use["count"] for use in uses].count(292) == 1
    assert np.linalg.norm(total) == pytest.approx(np.linalg.norm(rnn.cell.W_hh.grad), rel=1e-4)
    assert len(film["terms"]) <= 12
    back = [m["node"] for m in film["moments"] if m["kind"] == "backward"]
    steps = [film["nodes"][i]["step"] if i >= 0 else "hidden" for i in back]
    hidden = steps.index("hidden")  # after the steps behind it have sent their gradient
    assert {297, 298, 299, 300} <= set(steps[:hidden])
    assert not {298, 299, 300} & set(steps[hidden:])


def test_large_weights_are_kept_by_coordinates():
    arrays = [np.random.default_rng(i).normal(size=(40, 30)) for i in range(5)]
    rows = np.array(coordinates(arrays))
    assert rows.shape == (5, 5)
    np.testing.assert_allclose(np.linalg.norm(rows[1] + rows[3] - rows[0]),
                               np.linalg.norm(arrays[1] + arrays[3] - arrays[0]), rtol=1e-5)
    assert np.isnan(coordinates([np.full((4, 9), np.nan)])).all()


@pytest.mark.parametrize("make", [
    lambda: nn.LSTM(4, 3, return_sequences=True, seed=0),
    lambda: nn.GRU(4, 3, return_sequences=True, seed=0),
    lambda: nn.Stacked([nn.RNN(4, 3, return_sequences=True, seed=0),
                        nn.RNN(3, 2, return_sequences=True, seed=1)]),
    lambda: nn.Bidirectional(nn.RNN(4, 3, return_sequences=True, seed=0)),
])
def test_every_use_of_every_weight_is_there(make):
    layer = make()
    xs = np.random.default_rng(0).normal(size=(3, 2, 4))
    loss = nn.squared_error(layer(xs), np.zeros(layer(xs).shape))
    film = told(draw.player(tg.gradient_flow(loss)))
    for name, x in layer.named_parameters():
        nodes = [i for i, n in enumerate(film["nodes"]) if n["name"].rpartition("/")[2] == x.label
                 and n["shape"] == list(x.shape)]
        totals = [sum(np.array(v) for u in film["uses"] if u["x"] == i for _, v in u["parts"])
                  for i in nodes if any(u["x"] == i for u in film["uses"])]
        norms = [np.linalg.norm(total) for total in totals]
        assert any(n == pytest.approx(np.linalg.norm(x.grad), rel=1e-4) for n in norms), name


def test_a_wrong_pass_is_played_as_it_went_and_says_so():
    loss, rnn, _ = hello()
    wrong = tg.what_if(loss, "no dh_next")
    page = draw.player(wrong)
    assert '<p id="wrong">WRONG on purpose: no dh_next</p>' in page.html()
    total, _ = added(told(page), "W_hh")
    assert np.linalg.norm(total) == pytest.approx(
        np.linalg.norm(wrong.gradient(rnn.cell.W_hh)), rel=1e-5)
    right = np.linalg.norm(wrong.right.gradient(rnn.cell.W_hh))
    assert np.linalg.norm(total) != pytest.approx(right, rel=1e-2)
    assert 'id="wrong"' not in draw.player(wrong.right).html()


def test_fused_layers_are_opened_and_norms_alone_are_enough():
    xs = np.random.default_rng(0).normal(size=(3, 2, 4))
    films = []
    for fused in (False, True):
        layer = nn.LSTM(4, 3, return_sequences=True, seed=0, fused=fused)
        loss = nn.squared_error(layer(xs), np.zeros((3, 2, 3)))
        films.append(told(draw.player(tg.gradient_flow(loss, keep="norms"))))
    assert len(films[0]["moments"]) == len(films[1]["moments"]) > 90
    assert films[0]["terms"] == films[1]["terms"] == ["L₁", "L₂", "L₃"]
    layer = nn.LSTM(4, 3, return_sequences=True, seed=0, fused=True)
    wrong = tg.what_if(nn.squared_error(layer(xs), np.zeros((3, 2, 3))), "no dh_next")
    assert told(draw.player(wrong))["wrong"] == "WRONG on purpose: no dh_next"
    total, _ = added(told(draw.player(wrong)), "W_hh")
    again = opened(wrong)
    assert np.linalg.norm(total) == pytest.approx(
        np.linalg.norm(again.gradient(layer.cell.W_hh)), rel=1e-4)


def test_a_long_film_has_fewer_switches_and_stays_small():
    layer = nn.LSTM(8, 16, return_sequences=True, seed=0)
    y = layer(np.random.default_rng(0).normal(size=(60, 2, 8)))
    loss = nn.squared_error(y, np.zeros(y.shape))
    page = draw.player(tg.gradient_flow(loss))
    film = told(page)
    assert film["terms"] == ["L₁ … L₂₀", "L₂₁ … L₄₀", "L₄₁ … L₆₀"]
    assert len(page.html()) < 4_000_000
    total, uses = added(film, "W_hh")
    assert len(uses) == 60
    assert np.linalg.norm(total) == pytest.approx(
        np.linalg.norm(tg.grad(loss, layer.cell.W_hh).value), rel=1e-4)


def test_equations_write_out_what_has_no_name():
    layer = nn.LSTM(4, 3, return_sequences=True, seed=0)
    y = layer(np.random.default_rng(0).normal(size=(2, 2, 4)))
    film = told(draw.player(tg.gradient_flow(nn.squared_error(y, np.zeros(y.shape)))))
    written = [m.get("equation") for m in film["moments"]]
    assert "i₂ = sigmoid((W_xh · x₂ + W_hh · h₁ + b_h)[i])" in written
    assert "c₂ = f₂ × c₁ + i₂ × g₂" in written
    a, b = tg.Value(2.0, name="a"), tg.Value(3.0, name="b")
    y = ((a - (b - a)) * (a + b) / (a * b) - (-(a + b)) ** 2).named("y")
    film = told(draw.player(tg.gradient_flow(y)))
    equation = next(m["equation"] for m in film["moments"] if m["equation"].startswith("y"))
    assert equation == "y = (a − (b − a)) × (a + b) ÷ (a × b) − (−(a + b)) ^ 2"
    x = a
    for _ in range(3_000):  # deep, and without names
        x = tg.tanh(x * b)
    words = equations.Words(survey(x, Window(0, 0)), {})
    assert max(map(len, words.said.values())) <= equations.LONG


def test_the_same_program_gives_the_same_page():
    program = ("from films import hello; import tinygrad_rnn as tg, hashlib;"
               "from tinygrad_rnn import draw; page = draw.player(tg.gradient_flow(hello()[0]));"
               "print(hashlib.sha256(page.html().encode()).hexdigest())")
    here = Path(__file__).parent
    runs = {subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                           cwd=here, env={**os.environ, "PYTHONHASHSEED": str(seed),
                                          "PYTHONPATH": str(here.parents[1])}, check=True).stdout
            for seed in (1, 2)}
    assert len(runs) == 1


def in_words(film):
    """The film as a list of sentences, for a golden file that can be read."""
    names = [f"{i} {node['name']}" for i, node in enumerate(film["nodes"])]

    def rule(use):
        return "".join(x if isinstance(x, str) else f"({' '.join(map(str, x))})"
                       for x in use.get("rule", ()))

    moments = []
    for m in film["moments"]:
        sent = [film["uses"][u] for u in m.get("uses", ())]
        moments.append({"kind": m["kind"], "node": names[m["node"]],
                        "equation": m.get("equation", ""), "lines": m.get("lines", []),
                        "sends": [[names[u["x"]], rule(u), u["parts"], u["lines"]] for u in sent]})
    return {**{key: film[key] for key in ("title", "views", "terms", "scale", "nodes")},
            "ledgers": [names[i] for i in film["ledgers"]], "moments": moments}


def test_golden():
    """To take a change over: UPDATE_GOLDEN=1 pytest tests/draw, then look at the difference."""
    film = in_words(told(draw.player(tg.gradient_flow(scalar(3)[0]))))
    text = json.dumps(film, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [{}, {"first": 2, "last": 2},
                                    {"first": 2, "last": 0}], ids=str)
def test_nothing_is_used_before_it_is_there(kind, window):
    loss = KINDS[kind](7)
    flow = opened(tg.gradient_flow(loss))
    film = told(draw.player(flow, **window))
    rows = sum(len(flow.ledger(x)) for x in tg.nodes(flow.root) if x.is_leaf and x.requires_grad)
    leaves = {i for i, n in enumerate(film["nodes"]) if n["op"] == ""}
    assert sum(use["count"] for use in film["uses"] if use["x"] in leaves) == rows
    seen, received = set(), set()
    want = [0] * len(film["nodes"])
    for use in film["uses"]:
        want[use["x"]] += 1
    for moment in film["moments"]:
        if moment["kind"] == "forward" and moment["node"] >= 0:
            assert {x["node"] for x in moment["operands"] if "node" in x
                    and film["nodes"][x["node"]]["op"]} & later(film, seen) == set()
            seen.add(moment["node"])
        elif moment["kind"] == "backward" and moment["node"] >= 0:
            assert want[moment["node"]] == 0, film["nodes"][moment["node"]]["name"]
        for u in moment.get("uses", ()):
            assert u not in received
            received.add(u)
            want[film["uses"][u]["x"]] -= 1
    assert not any(want)


def later(film, seen):
    """The nodes of later moments."""
    return {m["node"] for m in film["moments"] if m["kind"] == "forward"} - seen


def test_what_is_out_of_view_waits_for_its_gradient_in_two_directions():
    page = draw.player(tg.gradient_flow(priced(both_ways(), 60)), first=3, last=3)
    film = told(page)
    back = [m["node"] for m in film["moments"] if m["kind"] == "backward"]
    assert back.count(-1) == 1
    before = [film["nodes"][i] for i in back[:back.index(-1)]]
    states = {(n["scope"], n["step"]) for n in before if n["name"].endswith(("h₅₈", "h₃"))}
    assert states == {("forward", 58), ("backward", 3)}
    ahead = [m["node"] for m in film["moments"] if m["kind"] == "forward"]
    states = {film["nodes"][i]["name"] for i in ahead[:ahead.index(-1)]}
    assert {"forward/h₃", "backward/h₅₈"} <= states
    assert {"forward/h₅₈", "backward/h₃", "y₁"} & states == set()


@pytest.mark.parametrize("kind", ["vanilla", "lstm", "both ways", "masked", "encoder-decoder"])
def test_any_terms_of_the_loss_give_the_gradient_of_their_sum(kind):
    loss = KINDS[kind](4)
    film = told(draw.player(tg.gradient_flow(loss)))
    terms = [n for n in tg.nodes(loss) if n.name == "L" and n.step is not None]
    assert [f"L{chr(0x2080 + n.step)}" for n in terms] == film["terms"]
    for chosen in ({0, 2}, {1}, {0, 1, 3}, set()):
        part = sum((terms[i] for i in sorted(chosen)), 0.0 * terms[0])
        leaves = [n for n in tg.nodes(loss) if n.is_leaf and n.requires_grad]
        wanted = [g.value for g in tg.grad(part, leaves)]
        for leaf, gradient in zip(leaves, wanted):
            found = [i for i, n in enumerate(film["nodes"]) if n["op"] == ""
                     and n["name"].rpartition("/")[2] == leaf.label
                     and n["shape"] == list(leaf.shape)]
            sums = [sum((np.array(v) for use in film["uses"] if use["x"] == i
                         for group, v in use["parts"] if group in chosen), np.zeros(1))
                    for i in found]
            assert any(np.linalg.norm(s) == pytest.approx(np.linalg.norm(gradient), rel=1e-4,
                                                          abs=1e-8) for s in sums), leaf.label


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("T", [3, 7])
def test_every_view_has_what_the_film_speaks_of(kind, T):
    page = draw.player(tg.gradient_flow(KINDS[kind](T)))
    film = told(page)
    folded = ["unfolded", *["folded"] * (T > 3 or kind == "encoder-decoder"), "rolled up"]
    assert film["views"] == (["unfolded"] if kind == "by hand" else folded)
    for i, drawing in enumerate(page.drawings):
        there = {x.id for x in (*drawing.boxes, *drawing.lines)}
        for node in film["nodes"]:
            assert set(node["glyphs"][i]) <= there
        for told_of in (*film["uses"], *film["moments"]):
            lines = told_of["lines"][i] if told_of.get("lines") else []
            assert {line for line in lines if not line.endswith(".rail")} <= there
        shown = [m for m in film["moments"] if m["node"] >= 0 and m["kind"] != "turn"]
        assert all(film["nodes"][m["node"]]["glyphs"][i] for m in shown)
        moved = [u for u in film["uses"] if u["by"] >= 0 and film["nodes"][u["by"]]["glyphs"][i]
                 and film["nodes"][u["x"]]["glyphs"][i]
                 and not set(film["nodes"][u["by"]]["glyphs"][i]) & set(film["gaps"][i])]
        assert all(u["lines"][i] for u in moved), kind


@pytest.mark.parametrize("kind", KINDS)
def test_rules_are_written_as_on_paper(kind):
    film = told(draw.player(tg.gradient_flow(KINDS[kind](3))))
    for use in film["uses"][1:]:
        words = "".join(x for x in use["rule"] if isinstance(x, str))
        assert ["g"] in use["rule"], use
        assert not re.search(r"axis|shape|_\w|\.\.\.|part \d", words), words


def test_who_shares_a_name_is_told_apart():
    film = told(draw.player(tg.gradient_flow(KINDS["both ways"](3))))
    equations = [m["equation"] for m in film["moments"] if m["kind"] == "forward"]
    assert "concat(forward/h₂, backward/h₂)" in equations
    assert equations.count("h₂ = tanh(W_xh · x₂ + W_hh · h₁ + b_h)") == 1  # in forward
    assert equations.count("h₂ = tanh(W_xh · x₂ + W_hh · h₃ + b_h)") == 1  # in backward
    names = [film["nodes"][i]["name"] for i in film["ledgers"]]
    assert {"forward/W_hh", "backward/W_hh", "W_hy"} <= set(names)
    assert "backward/W_hy" not in names
    stacked = told(draw.player(tg.gradient_flow(KINDS["stacked"](3))))
    assert "W_xh · layer 0/h₂" in [m.get("equation") for m in stacked["moments"]]


def test_the_terms_of_a_loop_without_steps_have_switches_too():
    """They are told by their number, and each is the part of the gradient that is its own."""
    def loss(names, kept=(0, 1, 2)):
        w, h, terms = tg.Value(0.5, name="w"), tg.Value(0.3, name="h0"), []
        for _ in range(3):
            h = tg.tanh(w * h)
            terms.append((h - 0.5) ** 2)
            terms[-1] = terms[-1].named("L") if names else terms[-1]
        return sum((terms[k] for k in kept[1:]), terms[kept[0]]), w

    assert draw.player(tg.gradient_flow(loss(True)[0])).data["terms"] == ["L 1", "L 2", "L 3"]
    assert draw.player(tg.gradient_flow(loss(False)[0])).data["terms"] == [
        "term 1", "term 2", "term 3"]
    found, w = loss(False)
    film = Film(survey(found, Window(9, 0)), 1.0)
    for k in range(3):
        alone, v = loss(False, kept=(k,))
        alone.backward()
        parts = [use.parts.get(k, 0.0) for use in film.uses.values() if use.x is w]
        assert float(sum(parts)) == pytest.approx(v.grad, rel=1e-12)
    a = tg.Value(2.0, name="a")
    assert draw.player(tg.gradient_flow(tg.tanh(a) + a)).data["terms"] == ["L"]  # not alike


def test_a_folded_step_is_in_the_gap_of_its_own_stage():
    film = told(draw.player(tg.gradient_flow(KINDS["encoder-decoder"](4))))
    folded = film["views"].index("folded")
    gaps = {node["scope"]: set(node["glyphs"][folded]) for node in film["nodes"]
            if node["step"] == 2 and node["scope"] in ("encoder", "decoder")}
    assert gaps["encoder"]
    assert gaps["decoder"]
    assert gaps["encoder"].isdisjoint(gaps["decoder"])
    assert set(film["gaps"][folded]) == gaps["encoder"] | gaps["decoder"]
