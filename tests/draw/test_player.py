"""The player: what the page is told, and what it does when it is driven in a real browser."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import opened
from tinygrad_rnn.draw import equations
from tinygrad_rnn.draw.moments import coordinates
from tinygrad_rnn.draw.survey import Window, survey
from tinygrad_rnn.errors import InputError


def hello(T=4, seed=0, hidden=3):
    rnn = nn.RNN(4, hidden, return_sequences=True, seed=seed)
    head = nn.Linear(hidden, 4, name="hy", seed=1)
    inputs = np.eye(4)[np.arange(T) % 4]
    loss = nn.cross_entropy(head(rnn(inputs)), (np.arange(T) + 1) % 4)
    return loss, rnn, head


def scalar(T=3):
    w, h, total = tg.Value(0.2, name="w"), tg.Value(0.9, name="x0"), 0
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = tg.tanh(w * h).named("h")
            total = total + ((h - 0.5) ** 2).named("L")
    return total, w


def told(page):
    text = re.search(r'<script id="film"[^>]*>(.*?)</script>', page.html(), re.S)[1]
    return json.loads(text.replace("1e999", "Infinity"))


def added(film, name, groups=None, step=None):
    """What a node receives in the end: the sum of its uses over the given groups of terms."""
    x = next(i for i, node in enumerate(film["nodes"])
             if node["name"] == name and (step is None or node["step"] == step))
    uses = [use for use in film["uses"] if use["x"] == x]
    parts = [np.array(v) for use in uses for group, v in use["parts"]
             if groups is None or group in groups or group < 0]
    return sum(parts), uses


# --- what the page is told ------------------------------------------------------------------------


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
    assert rule == [["g"], " × ", ["o", 1]]


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
        nodes = [i for i, n in enumerate(film["nodes"]) if n["name"] == x.label
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
    program = ("from test_player import hello; import tinygrad_rnn as tg, hashlib;"
               "from tinygrad_rnn import draw; page = draw.player(tg.gradient_flow(hello()[0]));"
               "print(hashlib.sha256(page.html().encode()).hexdigest())")
    here = Path(__file__).parent
    runs = {subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                           cwd=here, env={**os.environ, "PYTHONHASHSEED": str(seed),
                                          "PYTHONPATH": str(here.parents[1])}, check=True).stdout
            for seed in (1, 2)}
    assert len(runs) == 1


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.outside = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.outside += [v for k, v in attrs if k in ("src", "href", "action") or k[:2] == "on"]


def test_no_label_becomes_markup_and_nothing_is_loaded():
    nasty = '</script><script>alert(1)</script>"\'&{{js}}\u2028\u202e<!--'
    w = tg.Value(0.5, name=nasty)
    h = tg.Value(1.0, name="h")
    with tg.scope(nasty):
        for t in (1, 2):
            with tg.timestep(t):
                h = (w * h).named(nasty)
    page = draw.player(tg.gradient_flow(h)).html()
    seen = Seen()
    seen.feed(page)
    assert seen.tags.count("script") == 2
    assert seen.outside == []
    assert "alert(1)</script>" not in page
    assert "http://www.w3.org/2000/svg" in page
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)


def test_what_is_no_flow_is_refused_in_words(tmp_path):
    loss, *_ = hello()
    with pytest.raises(InputError, match="expected a gradient flow, got Tensor"):
        draw.player(loss)
    page = draw.player(tg.gradient_flow(loss))
    with pytest.raises(InputError, match=r"ends in \.html"):
        page.save(tmp_path / "page.svg")
    with pytest.raises(InputError, match="expected theme"):
        draw.player(tg.gradient_flow(hello()[0]), theme="pink")
    assert page.save(tmp_path / "page.html").read_text("utf-8") == page.html()
    assert "srcdoc=" in page._repr_html_()


# --- driven in a browser --------------------------------------------------------------------------

FLAGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
         "--disable-background-networking --disable-component-update --disable-sync "
         "--window-size=1300,1000")


@pytest.fixture(scope="module")
def browser(require):
    chromium, chromedriver = require("chromium"), require("chromedriver")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = chromium
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=Service(chromedriver), options=options)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, tmp_path):
    loss, *_ = hello()
    path = draw.player(tg.gradient_flow(loss)).save(tmp_path / "bptt.html")

    class Driven:
        driver, url = browser, path.as_uri()

        def open(self, fragment=""):
            browser.get("about:blank")
            browser.get(self.url + fragment)

        def js(self, code):
            return browser.execute_script(f"return {code}")

        def press(self, *keys):
            from selenium.webdriver.common.by import By
            for key in keys:
                browser.find_element(By.TAG_NAME, "body").send_keys(key)

        def click(self, name):
            from selenium.webdriver.common.by import By
            browser.find_element(By.ID, name).click()

        def text(self, name):
            return self.js(f"document.getElementById('{name}').innerText")

    driven = Driven()
    driven.open()
    yield driven
    entries = browser.get_log("browser")
    assert entries == [], "the page wrote to the console"


def test_buttons_slider_and_keys(page):
    from selenium.webdriver.common.keys import Keys
    last = page.js("moments.length - 1")
    assert page.text("count") == f"1 / {last + 1}"
    page.click("next")
    page.click("next")
    assert page.js("state.m") == 2
    page.click("back")
    assert page.js("state.m") == 1
    page.click("last")
    assert page.js("state.m") == last
    page.click("first")
    assert page.js("state.m") == 0
    page.press(Keys.END, Keys.ARROW_LEFT)
    assert page.js("state.m") == last - 1
    page.press(Keys.HOME, Keys.ARROW_RIGHT)
    assert page.js("state.m") == 1
    page.press("b")
    assert page.text("moment").startswith("The way back begins")
    page.js("(() => { const s = document.getElementById('slider'); s.value = 7;"
            " s.dispatchEvent(new Event('input')) })()")
    assert page.js("state.m") == 7
    page.press("f")
    assert page.js("state.fold") == 1
    assert page.js("svg().getElementById('gap') !== null")
    page.click("fold")
    assert page.js("svg().getElementById('t2.h') !== null")
    page.click("turn")
    assert page.js("state.m === turn")
    for want in ("dark", "light"):
        page.click("theme")
        assert page.js("document.documentElement.dataset.theme") == want
    pressed = {"first", "back", "next", "last", "turn", "fold", "theme", "play"}
    assert set(page.js("[...document.querySelectorAll('button')].map(b => b.id)")) == pressed


def test_without_a_mouse_from_node_to_node(page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys
    order = page.js("[...document.querySelectorAll('[tabindex],button,input,select')]"
                    ".map(x => x.id || x.type)")
    assert order[:4] == ["picture", "first", "back", "play"]
    page.js("document.getElementById('picture').focus()")

    def shift(key):
        ActionChains(page.driver).key_down(Keys.SHIFT).send_keys(key).key_up(Keys.SHIFT).perform()

    page.click("last")
    page.js("document.getElementById('picture').focus()")
    shift(Keys.ARROW_RIGHT)
    first = page.text("tip")
    shift(Keys.ARROW_RIGHT)
    assert "value:" in first
    assert page.text("tip") != first
    shift(Keys.ARROW_LEFT)
    assert page.text("tip") == first
    assert page.js("svg().querySelectorAll('g.cursor').length") == 1
    assert page.js("document.getElementById('tip').getAttribute('role')") == "status"
    node = page.js("cursor")
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()
    assert page.js("moments[state.m].node") == node or page.js(f"received[{node}].length") == 0
    shift(Keys.ARROW_LEFT)
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    assert page.js("document.getElementById('tip').hidden && cursor === -1")


def test_what_does_not_apply_is_not_there(page, tmp_path):
    a = tg.Value(2.0, name="a")
    path = draw.player(tg.gradient_flow(tg.tanh(a * a))).save(tmp_path / "one.html")
    page.driver.get(path.as_uri())
    assert page.js("document.getElementById('terms').offsetHeight") == 0
    assert page.js("document.getElementById('fold').offsetHeight") == 0
    assert page.text("look").split("\n")[0] == "a"


def test_playing_goes_on_and_pauses(page):
    page.js("document.getElementById('speed').value = '60'")
    page.press(" ")
    for _ in range(100):
        if page.js("state.m") > 3:
            break
        page.driver.implicitly_wait(0.02)
    assert page.js("state.m") > 3
    page.click("play")
    stopped = page.js("state.m")
    assert page.text("play") == "Play"
    assert page.driver.execute_async_script(
        "setTimeout(() => arguments[0](state.m), 200)") == stopped


def test_the_running_sum_ends_at_the_gradient_whichever_way_it_is_reached(page):
    page.click("last")
    forward = page.text("ledger"), page.text("moment"), page.js("svg().innerHTML")
    rows = page.js("[...document.querySelectorAll('#ledger tr')].map(r => r.innerText)")
    assert len(rows) == 6  # a head, four uses, the sum
    assert "∂L/∂W_hh =" in rows[-1]
    page.click("back")
    page.click("back")
    page.click("next")
    page.click("next")
    assert (page.text("ledger"), page.text("moment"), page.js("svg().innerHTML")) == forward


def test_terms_are_switched_off_and_on(page):
    page.click("last")
    whole = page.text("ledger")
    boxes = "document.querySelectorAll('#terms input')"
    for i in (0, 1, 2):
        page.js(f"{boxes}[{i}].click()")
    loss, rnn, _ = hello()
    term = next(n for n in tg.nodes(loss) if n.name == "L" and n.step == 4)
    alone = float(np.linalg.norm(tg.grad(term, rnn.cell.W_hh).value))
    assert page.text("ledger").split()[-1] == f"{alone:.3g}"
    assert page.js("location.hash").find("off=0.1.2") > 0
    for i in (0, 1, 2):
        page.js(f"{boxes}[{i}].click()")
    assert page.text("ledger") == whole


def test_a_link_leads_to_a_moment(page):
    page.open("#m=50&off=1&fold=1&look=t2.h&theme=dark")
    assert page.js("[state.m, [...state.off], state.fold, nodes[state.look].name]") == [
        50, [1], 1, "h₂"]
    assert page.js("document.documentElement.dataset.theme") == "dark"
    assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 28)"
    page.open("#m=999999&off=77.x&look=nobody&theme=pink")
    assert page.js("state.m === moments.length - 1 && state.off.size === 0")


def test_hovering_shows_value_and_gradient(page):
    page.click("last")
    page.js("svg().getElementById('t2.h').dispatchEvent(new Event('pointerenter'))")
    tip = page.text("tip")
    assert tip.startswith("h₂ (step 2)")
    assert "value: [" in tip
    assert "∂L/∂h₂ = [" in tip
    page.open()
    page.js("svg().getElementById('t2.h').dispatchEvent(new Event('pointerenter'))")
    assert "not computed yet" in page.text("tip")


def test_the_page_asks_for_nothing(page):
    page.driver.get_log("performance")
    page.open("#m=3")
    page.press("f", " ")
    sent = [json.loads(e["message"])["message"] for e in page.driver.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in sent
            if m["method"] == "Network.requestWillBeSent"]
    assert {u.split("#")[0] for u in urls} <= {page.url, "about:blank"}


def test_the_page_fits_a_phone(page):
    page.driver.set_window_size(500, 900)  # the least a headless window takes
    page.open("#m=40")
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    assert page.js("[...document.querySelectorAll('button')].every(b => b.hidden ||"
                   " b.offsetHeight >= 40)")
    page.driver.set_window_size(1300, 1000)
