"""Fused layers against numbers computed elsewhere."""


import numpy as np
import pytest

import tinygrad_rnn as tg

from . import test_golden as golden
from .reference import family


@pytest.mark.parametrize(("facts", "arrays"), family("rnn_cases"))
def test_networks(facts, arrays):
    with tg.fused():
        golden.test_networks(facts, arrays)


@pytest.mark.parametrize(("facts", "arrays"), family("rnn_vjp"))
def test_gradients_enter_through_outputs_and_states(facts, arrays):
    with tg.fused():
        golden.test_gradients_enter_through_outputs_and_states(facts, arrays)


@pytest.mark.parametrize(("facts", "arrays"), family("masked"))
def test_masks(facts, arrays):
    with tg.fused():
        if "lengths" in arrays:
            golden.test_sequences_of_different_lengths(facts, arrays, "lengths")
        else:
            golden.test_any_mask_with_both_paddings(facts, arrays)


@pytest.mark.parametrize(("facts", "arrays"), family("rnn_extra"))
def test_reset_before_the_product_and_second_order(facts, arrays):
    with tg.fused():
        if "v_W_hy" in arrays:
            golden.test_second_order(facts, arrays)
        else:
            for stacked in (False, True):
                golden.test_gru_with_reset_before_the_product(facts, arrays, stacked)


@pytest.mark.parametrize(("facts", "arrays"), family("whh_contrib"))
def test_contribution_of_every_step(facts, arrays):
    """The rows of the ledger of the fused node itself, beside theirs."""
    layer = golden.single(facts, arrays, return_sequences=True, fused=True)
    _, start = golden.states(facts, arrays)
    loss = golden.loss_of(facts, arrays, golden.head(arrays)(layer(arrays["x"], start[0])))
    flow = tg.gradient_flow(loss)
    for p, name in ((layer.cell.W_hh, "weight_hh"), (layer.cell.W_xh, "weight_ih"),
                    (layer.cell.b_h, "bias_ih")):
        rows = sorted(flow.ledger(p), key=lambda row: row.step)
        np.testing.assert_allclose([row.contribution for row in rows],
                                   arrays[f"contrib_{name}_l0"], rtol=1e-7, atol=1e-9)
