"""Explain: the derivation is generated from the graph, its numbers are those of the flow, and its
LaTeX holds together whatever the names are."""

import importlib
import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.bptt.formula import Formula
from tinygrad_rnn.bptt.formulas import leaving
from tinygrad_rnn.bptt.forward import computed
from tinygrad_rnn.cli.models import model
from tinygrad_rnn.cli.patterns import PATTERNS
from tinygrad_rnn.core.backprop import local
from tinygrad_rnn.core.listing import op_table

from ..core.samples import CALLS, EINSUMS, SAMPLES, Draw
from .latex import balanced, compiles

POWERS = """\
∂h₃/∂w, from the graph: one term for each of its 3 uses

in general
  ∂h₃/∂w = Σ_t ∂h₃/∂h_t · h_{t−1}

step 3
  h₃ = w · h₂ = 0.2 · 0.036 = 0.0072
  ∂h₃/∂h₃ = 1      the start
  term: ∂h₃/∂h₃ · h₂ = 1 · 0.036 = 0.036

step 2
  h₂ = w · h₁ = 0.2 · 0.18 = 0.036
  ∂h₃/∂h₂ = ∂h₃/∂h₃ · w = 1 · 0.2 = 0.2      from the future, step 3
  term: ∂h₃/∂h₂ · h₁ = 0.2 · 0.18 = 0.036
  chain = ∂h₃/∂h₂ · ∂h₂/∂w = 0.2 · 0.18 = 0.036

step 1
  h₁ = w · x0 = 0.2 · 0.9 = 0.18
  ∂h₃/∂h₁ = ∂h₃/∂h₂ · w = 0.2 · 0.2 = 0.04      from the future, step 2
  term: ∂h₃/∂h₁ · x0 = 0.04 · 0.9 = 0.036
  chain = ∂h₃/∂h₂ · ∂h₂/∂h₁ · ∂h₁/∂w = 0.2 · 0.2 · 0.9 = 0.036

sum of the terms
  ∂h₃/∂w = 0.036 + 0.036 + 0.036 = 0.108      what this pass added to w.grad"""


def explained(kind, T=3, name=None, **options):
    made = model(kind, T)
    return tg.gradient_flow(made.loss).explain(made.weight(name), **options)


def test_the_well_known_example_word_for_word():
    assert str(explained("scalar")) == POWERS


def test_the_derivation_of_a_recurrence():
    text = str(explained("many-to-many"))
    for line in ("∂L/∂W_hh = Σ_t δ_t h_{t−1}ᵀ      summed over a batch of 2",
                 "δ_t = ∂L/∂h_t ⊙ (1 − h_t²)",
                 "h₂ = tanh(W_xh x₂ + W_hh h₁ + b_h) = (2, 4), ‖·‖ = ",
                 "part 1 = W_hyᵀ ∂L/∂y₂ = (2, 4), ‖·‖ = ", "from above",
                 "part 2 = W_hhᵀ δ₃ = (2, 4), ‖·‖ = ", "from the future, step 3",
                 "δ₂ = ∂L/∂h₂ ⊙ (1 − h₂²) = (2, 4), ‖·‖ = ", "term: δ₂ h₁ᵀ = (4, 4), ‖·‖ = "):
        assert line in text


def test_the_gates_of_an_lstm():
    text = str(explained("lstm"))
    for line in ("∂L/∂c₃ = ∂L/∂h₃ ⊙ o₃ ⊙ (1 − tanh(c₃)²)", "part 1 = ∂L/∂c₃ ⊙ f₃",
                 "∂L/∂f₂ = ∂L/∂c₂ ⊙ c₁", "∂L/∂i₃ ⊙ i₃ ⊙ (1 − i₃) → [..., 0:4]",
                 "part 2 = W_hhᵀ δ₃", "δ₃ = the sum of the 4 parts = (2, 16)"):
        assert line in text


@pytest.mark.parametrize("kind", PATTERNS)
def test_every_pattern_in_every_form(kind):
    made = model(kind, 3)
    flow = tg.gradient_flow(made.loss)
    for w in made.weights.values():
        found = flow.explain(w)
        assert compiles(found.latex)
        assert balanced(found.markdown.replace("\\*", ""))
        assert found._repr_markdown_() == found.markdown
        assert len(re.findall("term: ", found.text)) == len(flow.ledger(w))
        assert "rule of" not in found.text


@pytest.mark.parametrize("kind", ["many-to-many", "lstm", "gru"])
def test_the_numbers_are_those_of_the_flow(kind):
    made = model(kind, 3)
    flow = tg.gradient_flow(made.loss)
    w = made.weight()
    terms = re.findall(r"term: .* = \(\d+, \d+\), ‖·‖ = (\S+)", flow.explain(w).text)
    assert [float(x) for x in terms] == pytest.approx([r.norm for r in flow.ledger(w)], rel=1e-3)
    for t, size in flow.norms("h").items():
        lines = re.findall(rf"∂L/∂h{'₀₁₂₃'[t]} = .*‖·‖ = (\S+)", flow.explain(w).text)
        assert float(lines[0]) == pytest.approx(size, rel=1e-3)


def test_a_scalar_with_two_ways_is_worked_out_in_numbers():
    a, b = tg.Value(2.0, name="a"), tg.Value(-3.0, name="b")
    y = (a * b + tg.tanh(a)) ** 2
    text = tg.gradient_flow(y).explain(a).text
    assert ("term: ∂L/∂L · 2 · (a · b + tanh(a)) · (1 − tanh(a)²) = "
            "(−10.07) · (1 − 0.964 · 0.964) = −0.7116") in text
    assert f"= {a.grad:.4g}" in text


# --- every row of the table ---------------------------------------------------------------------


ROWS = {row.variable: getattr(importlib.import_module(row.module), row.variable)
        for row in op_table()}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_row_has_a_printable_rule(name):
    """Generated from its source, for every operand; nothing is left out and nothing raises."""
    draw = Draw((2, 3), 0)
    operands, options = SAMPLES[name](draw)
    call = CALLS.get(name, ROWS[name])
    leaves = [tg.Tensor(x, name=f"x_{i}", requires_grad=np.asarray(x).dtype.kind == "f")
              for i, x in enumerate(operands)]
    y = call(*leaves, **options)
    loss = (y * np.ones(np.shape(y.value))).sum()
    flow = tg.gradient_flow(loss)
    for x in leaves:
        if x not in flow.incoming:
            continue
        found = flow.explain(x)
        assert compiles(found.latex)
        term = next(line for line in found.text.splitlines() if "term: " in line)
        assert not re.search(r"shape|axis|keepdims|slope|math\.|\||&|None", term), term
        assert "∂L/∂" in term or "0" in term
        assert "rule of" not in term


# --- einsum, by its subscripts ------------------------------------------------------------------

INDEXED = re.compile(r"(?:\((?P<long>\w+)\)|(?P<short>\w))_(?P<letters>\w+)|\[(?P<pair>\w = \w)\]|"
                     r"(?P<scalar>G|x\d)")


def worth(text, arrays):
    """What a sum over indices, as it is written, comes to: [Σ_b (G)_bj (x0)_bi]_ij."""
    body, result = re.fullmatch(r"\[(.*)\]_(\w+)", text).groups() if text[0] == "[" and \
        re.search(r"\]_\w+$", text) else (text, "")
    over, body = re.fullmatch(r"(?:Σ_(\w+) )?(.*)", body).groups()
    size, factors, letters = {}, [], []
    for m in INDEXED.finditer(body):
        name, axes = m["long"] or m["short"] or m["scalar"], m["letters"] or ""
        if name:
            size.update(zip(axes, np.shape(arrays[name])))
            factors.append(arrays[name])
        letters.append(m["pair"].replace(" = ", "") if m["pair"] else axes)
    for i, term in enumerate(letters):
        if i >= len(factors):  # [i = a], behind all the others
            n = size.get(term[0]) or size.get(term[1]) or arrays["n"]
            factors.append(np.eye(n))
            size.update(dict.fromkeys(term, n))
    for c in result:
        if not any(c in term for term in letters):  # the same for all of its entries
            factors.append(np.ones(arrays["sizes"][c]))
            letters.append(c)
    assert set("".join(letters)) - set(result) == set(over or "")
    return np.einsum(f"{','.join(letters)}->{result}", *factors)


@pytest.mark.parametrize("subscripts", EINSUMS)
def test_an_einsum_is_written_with_its_letters(subscripts):
    """What is written is worked out, and is the value, and the gradient through each operand."""
    rng = np.random.default_rng(0)
    inputs = subscripts.split("->")[0]
    size = {c: n for n, c in enumerate(dict.fromkeys(inputs.replace(",", "")), 2)}
    xs = [tg.Tensor(rng.normal(size=[size[c] for c in term]), name=f"x{k}", requires_grad=True)
          for k, term in enumerate(inputs.split(","))]
    y = np.einsum(subscripts, *xs).named("y")
    seed = rng.normal(size=np.shape(y.value))
    arrays = {"G": seed, "sizes": size, **{x.name: x.numpy() for x in xs}}
    made = computed(y, lambda i: Formula(f"x{i}", f"x{i}"))
    np.testing.assert_allclose(worth(made.text, arrays), y.numpy(), rtol=1e-12)
    for i, (x, term) in enumerate(zip(xs, inputs.split(","))):
        made = leaving(y, i, seed, Formula("G", "G"), lambda k: Formula(f"x{k}", f"x{k}"))
        assert compiles(f"\\[{made.latex}\\]")
        arrays["n"] = next((size[c] for c in term if term.count(c) > 1), None)
        twice = made.text.rpartition("]_")[2]
        arrays["sizes"] = {**size, **dict(zip(twice, x.shape))}
        np.testing.assert_allclose(worth(made.text, arrays), local(y, i, seed), rtol=1e-12)


def test_an_einsum_in_a_derivation():
    W, h = (tg.Tensor(np.full((2, 2), v), name=n, requires_grad=True)
            for v, n in ((0.5, "W"), (1.0, "h0")))
    for t in (1, 2):
        with tg.timestep(t):
            h = np.tanh(np.einsum("bi,ij->bj", h, W)).named("h")
    found = tg.gradient_flow((h ** 2).sum().named("L")).explain(W)
    assert "∂L/∂W = Σ_t [Σ_b (δ_t)_bj (h_{t−1})_bi]_ij" in found.text
    assert "h₂ = tanh([Σ_i (h₁)_bi W_ij]_bj)" in found.text
    assert "∂L/∂h₁ = [Σ_j (δ₂)_bj W_ij]_bi" in found.text
    assert r"\left[\sum_{b} \left(\delta_t\right)_{bj} \, \left(h_{t-1}\right)_{bi}\right]_{ij}" \
        in found.latex


# --- names that several have ----------------------------------------------------------------------


def test_what_has_the_same_name_elsewhere_says_where():
    """The other layer, the other direction, the decoder: h₃ of one is not h₃ of the other."""
    found = explained("encoder-decoder", T=3, name="encoder.cell.W_hh")
    assert "∂L/∂h₃ = Pᵀ ∂L/∂h₀⟨decoder⟩" in found.text
    assert "⟨encoder⟩" not in found.text
    assert r"\partial {h_{0}}^{\langle\text{decoder}\rangle}" in found.latex
    assert compiles(found.latex)
    made = model("stacked", 3)
    below, above = (p for p in made.weights.values() if p.name == "W_hh")
    assert ("h₃⟨layer 1⟩ = tanh(W_xh⟨layer 1⟩ h₃ + W_hh⟨layer 1⟩ h₂⟨layer 1⟩ + b_h⟨layer 1⟩)"
            in tg.gradient_flow(made.loss).explain(below).text)
    assert "h₃ = tanh(W_xh h₃⟨layer 0⟩ + W_hh h₂ + b_h)" in \
        tg.gradient_flow(made.loss).explain(above).text
    made = model("bidirectional", 3)
    W = [p for p in made.weights.values() if p.name == "W_hh"]
    text = tg.gradient_flow(made.loss).explain(W[1]).text
    assert "concat(h₁⟨forward⟩, h₁)" in text
    assert "⟨" not in explained("many-to-many").text
    assert "⟨" not in explained("lstm").text


def test_few_rows_that_are_picked_are_named():
    E = nn.Embedding(5, 3, seed=0)
    layer = nn.RNN(3, 3, seed=1)
    loss = (layer(E(np.array([[0, 2], [1, 4]]))) ** 2).sum().named("L")
    text = tg.gradient_flow(loss).explain(next(iter(E.parameters()))).text
    assert "∂L/∂x₂ → [[1, 4]]" in text
    assert "[·]" not in text.split("step 2")[1]


# --- ops and names of one's own -----------------------------------------------------------------


@tg.op(lambda g, y, x: g * 3 * x ** 2)
def cube(x):
    return x ** 3


def slope(g, y, x):
    """A rule as a function, with a branch."""
    if np.ndim(x) == 0:
        return g * 5
    factor = 2 * x
    return g * factor


@tg.op(slope)
def odd(x):
    return 5 * x if np.ndim(x) == 0 else x * x


def test_a_users_own_op_shows_its_own_rule():
    x = tg.Value(2.0, name="x")
    assert "∂L/∂y · 3 · x² = 1 · 3 · 2² = 12" in str(
        tg.gradient_flow((cube(x).named("y")) * 1.0).explain(x)).replace("∂L/∂L · 1", "∂L/∂L")
    assert "term: ∂L/∂L · 5 = 1 · 5 = 5" in str(tg.gradient_flow(odd(x)).explain(x))
    v = tg.Tensor([1.0, 2.0], name="v", requires_grad=True)
    assert "2 · v" in str(tg.gradient_flow(odd(v).sum()).explain(v))


def test_options_are_shown_as_what_they_are():
    x = tg.Tensor([[1.0, -2.0]], name="x", requires_grad=True)
    for y, expected in ((tg.leaky_relu(x, negative_slope=0.2), "where([x > 0], 1, 0.2)"),
                        (np.clip(x, -1.0, 1.5), "[x ≥ −1] and [x ≤ 1.5]"),
                        (tg.erf(x), "2 / sqrt(π)"), (np.cumsum(x, axis=1), ", 1)), 1) = ")):
        assert expected in str(tg.gradient_flow(y.sum()).explain(x))


def test_a_rule_without_a_source_is_named():
    space = {"tg": tg}
    exec("@tg.op(lambda g, y, x: g * 7)\ndef seven(x): return 7 * x", space)
    x = tg.Value(2.0, name="x")
    found = tg.gradient_flow(space["seven"](x)).explain(x)
    assert "(rule of 'seven')(∂L/∂L) = 7" in str(found)
    assert compiles(found.latex)


@pytest.mark.parametrize("name", ["W$_&{", "a\\b", "loss_fn_2", "{", "}}", "100%", "x^2", "α_β",
                                  "a\nb", "#1", "_", "~", "a'b", "''", "h₁", "₁", "²", "ᵀ", "größe",
                                  "日本", "‖h‖", "−1", "<b>", "|", "οmicron"])
def test_names_are_escaped(name):
    x = tg.Value(2.0, name=name)
    with tg.timestep(1):
        found = tg.gradient_flow(tg.tanh(x * x).named(name)).explain(x)
    assert compiles(found.latex)
    assert balanced(re.sub(r"\*\*.*?\*\*|^\*.*\*$", "", found.markdown, flags=re.MULTILINE))
    assert "$$$" not in found.markdown
    for text in (found.text, str(found)):
        assert len(text.splitlines()) == len(text.split("\n"))


# --- long ones ----------------------------------------------------------------------------------


def test_long_sequences_are_elided():
    text = str(explained("many-to-many", 40))
    assert "… 34 more uses, each in the same way …" in text
    assert [int(t) for t in re.findall(r"^step (\d+)", text, re.MULTILINE)] == [40, 39, 38, 3, 2, 1]
    assert "step 20" in str(explained("many-to-many", 40, keep=30))


def test_no_recursion_however_deep():
    sizes = []
    for depth in (1_000, 20_000):
        x = y = tg.Value(0.1, name="x")
        for _ in range(depth):
            y = tg.sin(y)
        sizes.append(len(tg.gradient_flow(y).explain(x).text))
    assert sizes[1] < 1.1 * sizes[0]
    w, h = tg.Value(0.5, name="w"), tg.Value(1.0, name="h0")
    for t in range(1, 5001):
        with tg.timestep(t):
            h = (w * h).named("h")
    assert "4994 more uses" in str(tg.gradient_flow(h).explain(w))


def test_small_tensors_are_printed_and_big_ones_summed_up():
    for size, shown in ((2, "[2 2]"), (50, "(50,), ‖·‖ = ")):
        x = tg.Tensor(np.ones(size), name="x", requires_grad=True)
        assert shown in str(tg.gradient_flow((x * x).sum()).explain(x))


def test_wrong_is_marked():
    made = model("many-to-many", 3)
    found = tg.what_if(made.loss, "no dh_next").explain(made.weight())
    assert found.text.startswith("WRONG on purpose (no dh_next): ∂L/∂W_hh")
    assert "and this is wrong" in found.text
    assert "WRONG on purpose" in found.latex
    assert "WRONG on purpose" in found.markdown


def test_the_same_program_gives_the_same_text():
    assert explained("gru").latex == explained("gru").latex


def test_what_no_gradient_reached():
    a, b = tg.Value(1.0, name="a"), tg.Value(1.0, name="b")
    with pytest.raises(tg.GradientError, match="no contribution reached 'b'"):
        tg.gradient_flow(a * 2.0).explain(b)


def test_a_flow_kept_as_norms_says_so():
    made = model("many-to-many", 3)
    flow = tg.gradient_flow(made.loss, keep="norms")
    with pytest.raises(tg.GradientError, match="only the norm was kept"):
        flow.explain(made.weight())


@pytest.mark.parametrize("keep", [0, -1, 1.5, "a", True])
def test_a_keep_that_cannot_be(keep):
    with pytest.raises(tg.InputError, match="whole number of at least 1"):
        explained("scalar", keep=keep)


def test_a_part_of_a_part_has_one_subscript_at_a_time():
    """a_{1}_{2} is an error in TeX: the inner one stands in braces."""
    both = nn.Bidirectional(nn.RNN(2, 3, seed=0, return_sequences=True))
    loss = (both(np.ones((3, 1, 2))) ** 2).sum()
    latex = tg.gradient_flow(loss).explain(both.forward_layer.cell.W_hh).latex
    assert "_{(1)}" in latex
    assert not re.search(r"_\{\(\d\)\}_", latex)


def test_it_fits_into_a_terminal():
    """A long equation goes on below its =, a stack of many names is short, and of many parts the
    first and the last are shown. `.text` has one equation on each line."""
    layer = nn.RNN(3, 3, seed=0, return_sequences=True)
    xs = np.random.default_rng(0).normal(size=(30, 2, 3))
    found = tg.gradient_flow((layer(xs) ** 2).sum().named("L")).explain(layer.cell.W_hh, keep=1)
    assert max(map(len, str(found).splitlines())) <= 80
    assert "\n  h₃₀ = tanh(W_xh x₃₀ + W_hh h₂₉ + b_h)\n    = [" in str(found)
    assert "∂L/∂h₃₀ = ∂L/∂L ⊙ 2 · stack(h₁, h₂, …, h₃₀)[part 30] = " in found.text
    assert " ".join(str(found).split()) == " ".join(found.text.split())
    loss = sum((y ** 2).sum() for y in layer(xs))  # every y_t is a slice of the stack
    found = tg.gradient_flow(loss).explain(layer.cell.W_hh, keep=1)
    assert "\n  …      24 more parts, each in the same way\n  part 28 = " in found.text
    assert compiles(found.latex)


@pytest.mark.parametrize("option", [{"fused": True}, {"checkpoint_every": 2}])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_layer_that_is_one_node_is_opened(kind, option):
    """The derivation is that of its operations, and .grad is left alone by it."""
    xs = np.random.default_rng(0).normal(size=(3, 2, 2))

    def derived(**options):
        layer = kind(2, 3, seed=0, return_sequences=True, **options)
        flow = tg.gradient_flow((layer(xs) ** 2).sum().named("L"))
        before = layer.cell.W_hh.grad.copy()
        text = re.sub(r"v[₀-₉]+", "v", flow.explain(layer.cell.W_hh).text)
        assert np.array_equal(layer.cell.W_hh.grad, before)
        return text

    assert derived(**option) == derived()
    assert "inside one node" not in derived(**option)


def test_sums_of_one_name_are_told_once():
    """Each L_t, and each total of them, is called L where no step was named."""
    head, rnn = nn.Linear(3, 5, seed=1), nn.RNN(4, 3, return_sequences=True, seed=0)
    y = head(rnn(np.ones((4, 2, 4))))
    losses = [nn.cross_entropy(y[t], np.zeros(2, int)) for t in range(4)]
    flow = tg.gradient_flow(sum(losses[1:], losses[0]))
    lines = flow.explain(rnn.cell.W_hh).text.splitlines()
    assert [line for line in lines if line.startswith("  ∂L/∂L = 1")] == \
        ["  ∂L/∂L = 1      the start"]
