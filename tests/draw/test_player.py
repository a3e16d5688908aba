"""The player as a page: what its text is, and what it does when it is driven in a real browser."""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw
from tinygrad_rnn.draw.painter import Painter
from tinygrad_rnn.draw.player import framed_svg, in_script
from tinygrad_rnn.errors import InputError

from .films import KINDS, hello
from .pictures import VIEWS


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.outside = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.outside += [v for k, v in attrs if k in ("src", "href", "action") or k[:2] == "on"]


def nasty():
    bad = '</script><script>alert(1)</script>"\'&{{js}}\u2028\u202e<!--'
    w, h = tg.Value(0.5, name=bad), tg.Value(1.0, name="h")
    with tg.scope(bad):
        for t in (1, 2):
            with tg.timestep(t):
                h = (w * h).named(bad)
    return h


def test_no_label_becomes_markup_and_nothing_is_loaded():
    page = draw.player(tg.gradient_flow(nasty())).html()
    seen = Seen()
    seen.feed(page)
    assert seen.tags.count("script") == 2
    assert seen.outside == []
    assert "alert(1)</script>" not in page
    assert "http://www.w3.org/2000/svg" in page
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)


def test_numbers_that_json_has_not_are_told_from_names():
    data = {"NaN": [np.inf, -np.inf, np.nan, 1.0], "n": 'say "NaN", \\"Infinity" <'}
    text = in_script(data)
    assert text.startswith('{"NaN":[1e999,-1e999,null,1.0],')
    assert json.loads(text)["n"] == data["n"]


def test_pages_are_strict_html():
    html5lib = pytest.importorskip("html5lib")
    pages = {kind: draw.player(tg.gradient_flow(make(3))) for kind, make in KINDS.items()}
    pages["nasty"] = draw.player(tg.gradient_flow(nasty()))
    for name, picture in {**pages, **{n: make() for n, make in VIEWS.items()}}.items():
        try:
            html5lib.HTMLParser(strict=True).parse(picture.html())
        except html5lib.html5parser.ParseError as error:
            pytest.fail(f"{name}: {error}")
    for picture in (p for page in pages.values() for p in page.drawings):
        ET.fromstring(framed_svg(picture, Painter("auto")))


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

        def hash(self):
            wait = "setTimeout(() => arguments[0](location.hash), 250)"
            return browser.execute_async_script(wait)

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
    assert page.js("film.views[state.view]") == "folded"
    assert page.js("svg().getElementById('gap') !== null")
    page.press("f")
    assert page.js("film.views[state.view]") == "rolled up"
    assert page.js("svg().getElementById('h') !== null")
    page.js("(() => { const s = document.getElementById('time'); s.value = 0;"
            " s.dispatchEvent(new Event('change')) })()")
    assert page.js("svg().getElementById('t2.h') !== null")
    wide = page.js("svg().getBoundingClientRect().width")
    page.click("in")
    assert page.js("svg().getBoundingClientRect().width") == pytest.approx(1.25 * wide, rel=0.02)
    page.press("-", "-")
    assert page.js("svg().getBoundingClientRect().width") == pytest.approx(wide / 1.25, rel=0.02)
    page.press("0")
    page.click("turn")
    assert page.js("state.m === turn")
    for want in ("dark", "light"):
        page.click("theme")
        assert page.js("document.documentElement.dataset.theme") == want
    pressed = {"first", "back", "next", "last", "turn", "out", "in", "theme", "play"}
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


def test_whatever_has_the_focus_is_seen_to_have_it(page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys
    reached = []
    for _ in range(18):
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        name = page.js("document.activeElement.id || document.activeElement.type")
        outline = page.js("(({outlineStyle: s, outlineWidth: w}) => s + w)"
                          "(getComputedStyle(document.activeElement))")
        assert outline == "solid3px", name
        reached.append(name)
    assert reached == [
        "picture", "first", "back", "play", "next", "last", "turn", "slider", "speed", "time",
        "out", "in", "theme", "look", *["checkbox"] * 4]


def seen(page):
    """Whether all that happens now lies within the picture's frame."""
    page.driver.execute_async_script("setTimeout(arguments[0], 700)")  # it scrolls smoothly
    return page.js("""(() => {
        const frame = at("picture").getBoundingClientRect();
        return [...svg().querySelectorAll("g.now")].every((g) => {
            const box = g.getBoundingClientRect();
            return box.left >= frame.left && box.right <= frame.right
                && box.top >= frame.top && box.bottom <= frame.bottom; }); })()""")


def test_the_picture_follows_to_the_weight_too(page):
    page.click("last")
    assert seen(page)
    page.press(*"+++")
    page.click("first")
    assert seen(page)


def test_the_picture_is_dragged_and_zoomed_with_a_mouse(page):
    from selenium.webdriver.common.action_chains import ActionChains
    page.press(*"+++")
    there = "[Math.round(at('picture').scrollLeft), Math.round(at('picture').scrollTop)]"
    moment, node = page.js("state.m"), page.driver.find_element("id", "t2.h")
    ActionChains(page.driver).move_to_element(node).perform()
    left, top = page.js(there)
    hand = ActionChains(page.driver).click_and_hold()  # on a node
    hand.move_by_offset(-60, -20).release().perform()
    assert page.js(there) == [left + 60, top + 20]
    ActionChains(page.driver).move_by_offset(30, 30).perform()  # let go
    assert page.js(there) == [left + 60, top + 20]
    assert page.js("state.m") == moment
    page.js("at('picture').dispatchEvent(new WheelEvent('wheel', {deltaY: -1, ctrlKey: true}))")
    assert page.js("state.zoom") == 4
    page.js("at('picture').dispatchEvent(new WheelEvent('wheel', {deltaY: -1}))")
    assert page.js("state.zoom") == 4


def test_what_does_not_apply_is_not_there(page, tmp_path):
    a = tg.Value(2.0, name="a")
    path = draw.player(tg.gradient_flow(tg.tanh(a * a))).save(tmp_path / "one.html")
    page.driver.get(path.as_uri())
    assert page.js("document.getElementById('terms').offsetHeight") == 0
    assert page.js("document.getElementById('time').offsetHeight") == 0
    assert page.text("look").split("\n")[0] == "a"


def test_playing_goes_on_and_pauses(page):
    page.js("(() => { const s = document.getElementById('speed'); s.value = 60;"
            " s.dispatchEvent(new Event('change')) })()")
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
    assert page.hash() == f"#m={page.js('state.m')}&off=0.1.2"
    for i in (0, 1, 2):
        page.js(f"{boxes}[{i}].click()")
    assert page.text("ledger") == whole


def test_a_link_leads_to_a_moment(page):
    link = "#m=50&off=1&time=folded&zoom=-2&speed=250&look=t2.h&theme=dark"
    page.open(link)
    page.press("+")
    page.press("-")
    assert page.hash() == link
    assert page.js("[state.m, [...state.off], film.views[state.view], nodes[state.look].name]") == [
        50, [1], "folded", "h₂"]
    assert page.js("[state.zoom, document.getElementById('speed').value]") == [-2, "250"]
    assert page.js("document.documentElement.dataset.theme") == "dark"
    assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 28)"
    page.open("#m=999999&off=77.x&look=nobody&theme=pink&time=never&zoom=1e9&speed=-1")
    assert page.js("state.m === moments.length - 1 && state.off.size === 0")
    assert page.js("[state.view, state.zoom, state.speed]") == [0, 5, "800"]


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


def test_a_large_array_is_not_said_to_be_equal_to_its_size(page, tmp_path):
    path = draw.player(tg.gradient_flow(KINDS["lstm"](2))).save(tmp_path / "lstm.html")
    page.driver.get(path.as_uri())
    page.click("last")
    page.js("svg().getElementById('W_hh').dispatchEvent(new Event('pointerenter'))")
    assert "∂L/∂W_hh: ‖·‖ = " in page.text("tip")
    assert re.search(r"∂L/∂\S.*: ‖·‖ = .*shape 2 × 12", page.text("facts"))


def test_the_page_asks_for_nothing(page):
    page.driver.get_log("performance")
    page.open("#m=3")
    page.press("f", " ")
    sent = [json.loads(e["message"])["message"] for e in page.driver.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in sent
            if m["method"] == "Network.requestWillBeSent"]
    assert {u.split("#")[0] for u in urls} <= {page.url, "about:blank"}


def test_it_plays_within_a_notebook(page, tmp_path):
    cell = draw.player(tg.gradient_flow(hello()[0]))._repr_html_()
    (tmp_path / "cell.html").write_text(f"<!doctype html><title>cell</title>{cell}", "utf-8")
    page.driver.get((tmp_path / "cell.html").as_uri())
    page.driver.switch_to.frame(page.driver.find_element("tag name", "iframe"))
    page.click("last")
    page.click("back")
    assert page.js("moments.length - 2 === state.m")
    assert page.hash() == ""
    page.driver.switch_to.default_content()  # the fixture looks at the console


def test_the_page_fits_a_phone(page):
    phone = {"width": 360, "height": 760, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page.open("#m=40")
        assert page.js("[innerWidth, document.documentElement.scrollWidth]") == [360, 360]
        assert page.js("[...document.querySelectorAll('button,select')].every(b => b.hidden ||"
                       " b.offsetHeight >= 40 || b.offsetParent === null)")
        assert page.js("svg().getBoundingClientRect().height / svg().viewBox.baseVal.height") > 0.7
        assert page.js("document.getElementById('controls').getBoundingClientRect().bottom") < 760
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
