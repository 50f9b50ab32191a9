"""Reports in a real browser without a network: light, dark, and on a phone."""

import pandas as pd
import pytest
from made_notebooks import display, executed

from dcm_helpers.pages import Executed, to_html
from dcm_helpers.report import main

DARK, LIGHT = "rgb(20, 23, 27)", "rgb(255, 255, 255)"
SCREENS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1440, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "has_touch": True},
}
PAGES = {"00_start_here": 3, "02_joint_optimization": 2}
"""Notebooks of the report, and how many plotly figures each has."""
JOINT = "02_joint_optimization"
CLIPPED = """
() => [...document.querySelectorAll("main *")].filter(each =>
    each.getBoundingClientRect().right > innerWidth + 1 &&
    !each.closest(".dcm-scroll, pre, svg, math, .highlight, .neighbor"))
  .map(each => each.outerHTML.slice(0, 200))
"""


@pytest.fixture(scope="module")
def report(example, tmp_path_factory):
    """A report of two notebooks, made once."""
    target = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DCM_NUM_LIVE", "1")
        patch.setenv("DCM_NUM_EXAMPLES", "2")
        numbers = [name[:2] for name in PAGES]
        assert main([str(example.folder.path), "--report-dir", str(target), "--notebooks", *numbers]) == 0
    return target


@pytest.fixture(params=SCREENS)
def screen(request, report, browser):
    """A page of a browser that has no network, and what the browser complained about."""
    context = browser.new_context(offline=True, **SCREENS[request.param])
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("requestfailed", lambda request: page.complaints.append(request.url))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:")) else page.complaints.append(request.url),
    )
    page.goto((report / "index.html").as_uri())
    yield request.param, page
    context.close()


def looked_at(page, figures):
    """What every page must have: figures drawn, nothing that makes it scroll sideways, no complaints."""
    page.wait_for_function(
        "n => document.querySelectorAll('.js-plotly-plot > .plot-container').length >= n", arg=figures
    )
    assert page.locator(".dcm-plot").count() == page.locator(".js-plotly-plot").count() >= figures
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert page.evaluate(CLIPPED) == []
    assert page.complaints == []


def color(page, selector, which="color"):
    return page.locator(selector).first.evaluate(f"each => getComputedStyle(each).{which}")


def test_every_page_is_drawn_on_every_screen(screen, photograph):
    name, page = screen
    looked_at(page, 3)
    assert page.locator(".dcm-card").count() == 4
    paper = DARK if name == "dark" else LIGHT
    assert color(page, "body", "backgroundColor") == paper
    photograph(page, f"report_index_{name}")
    for notebook, figures in PAGES.items():
        page.locator(f'.dcm-notebooks a[href="{notebook}.html"]').click()
        looked_at(page, figures)
        assert color(page, "body", "backgroundColor") == paper
        assert page.locator("math").count() >= 1 and page.locator("math").first.bounding_box()["height"] > 5
        if notebook == "00_start_here":
            assert page.locator("img").first.evaluate("image => image.naturalWidth") > 0
        photograph(page, f"report_{notebook}_{name}")
        page.locator(".dcm-way a", has_text="All notebooks").first.click()


def test_code_is_folded_and_opens_in_the_colors_of_the_theme(screen):
    name, page = screen
    page.goto(page.url.replace("index", JOINT))
    code = page.locator(".dcm-code").nth(1)
    assert not code.locator(".highlight").first.is_visible()
    code.locator("summary").click()
    assert code.locator(".highlight").first.is_visible()
    channels = [int(part) for part in color(page, ".dcm-code[open] .highlight .k", "color")[4:-1].split(",")]
    assert (sum(channels) > 330) == (name == "dark"), "keywords are light on dark and dark on light"


def test_the_explorer_works_in_a_page_without_a_kernel(screen, photograph):
    """Clicks, search and neighbors show what was stored; what cannot work is hidden."""
    name, page = screen
    page.goto(page.url.replace("index", JOINT))
    panel, root = page.locator(".dcm-panel"), page.locator(".dcm-explorer")
    panel.scroll_into_view_if_needed()
    first = root.get_attribute("data-chosen")
    written = panel.locator(".written").first.inner_text()
    assert panel.locator(".right").count() == 2 and panel.locator(".token").count() > 4
    panel.locator(".neighbor").first.click()
    assert root.get_attribute("data-chosen") != first and panel.locator(".written").first.inner_text() != written
    assert not panel.locator(".controls").is_visible() and panel.locator(".offline").is_visible()
    search = panel.locator("input[type=search]")
    search.fill(written.split()[-1].strip("?⏎"))
    search.press("Enter")
    assert "found" in panel.inner_text()
    # a click on the map opens the point under it
    search.fill("")
    panel.locator("canvas").scroll_into_view_if_needed()
    box = panel.locator("canvas").bounding_box()
    seen = set()
    # points are few, and where they lie is another place on each machine: clicks are close enough to hit two of them
    for step in range(24 * 16):
        page.mouse.click(
            box["x"] + box["width"] * (0.04 + 0.92 * (step % 24) / 23),
            box["y"] + box["height"] * (0.04 + 0.92 * (step // 24) / 15),
        )
        seen.add(root.get_attribute("data-chosen"))
        if len(seen) > 1:
            break
    assert len(seen) > 1
    photograph(page, f"report_explorer_{name}")


def test_the_table_of_contents_stands_beside_or_above(screen):
    name, page = screen
    page.goto(page.url.replace("index", JOINT))
    contents = page.locator(".dcm-contents")
    is_open = contents.evaluate("each => each.open")
    assert is_open == (name != "phone")
    if name == "phone":
        assert contents.bounding_box()["y"] < page.locator("h1").bounding_box()["y"]
        contents.locator("summary").click()
    else:
        assert contents.bounding_box()["x"] + contents.bounding_box()["width"] <= page.locator("h1").bounding_box()["x"]
    contents.locator("a", has_text="The whole run").click()
    heading = page.locator("h2", has_text="The whole run").bounding_box()
    assert 0 <= heading["y"] < 200, "the heading has come into view"


def test_running_text_is_narrow_and_figures_are_wide(report, browser):
    page = browser.new_context(offline=True, **SCREENS["light"]).new_page()
    page.goto((report / f"{JOINT}.html").as_uri())
    widths = {name: page.locator(name).first.bounding_box()["width"] for name in (".dcm-words p", ".dcm-plot")}
    assert widths[".dcm-words p"] < 700 < 1000 < widths[".dcm-plot"]
    page.context.close()


def test_the_mode_bar_lies_over_no_title(report, browser):
    """Titles stand above the figure; the bar comes with the pointer, inside."""
    page = browser.new_context(offline=True, **SCREENS["light"]).new_page()
    page.goto((report / "index.html").as_uri())
    page.locator(".js-plotly-plot .nsewdrag").first.hover()
    bar, title = (page.locator(name).first.bounding_box() for name in (".modebar", "figcaption"))
    assert bar["y"] >= title["y"] + title["height"]
    page.context.close()


def test_panels_and_styled_tables_come_through(tmp_path, browser):
    """A panel of HTML with data and a script runs as it is, and a styled table scrolls in its own box on a phone."""
    panel = (
        '<div class="dcm-explorer"><button>next</button><output></output>'
        '<script type="application/json">["a", "<table><tr><td>b</td></tr></table>"]</script><script>(() => {'
        "const panel = document.currentScript.parentElement;"
        'const texts = JSON.parse(panel.querySelector("script").textContent);'
        'panel.querySelector("button").onclick = () => { panel.querySelector("output").innerHTML = texts[1]; };'
        "})()</script></div>"
    )
    wide = pd.DataFrame({f"a long heading {place}": [place] for place in range(30)})
    styled = wide.style.set_table_attributes('class="dcm-table"')
    styled = styled.set_table_styles([{"selector": "th, td", "props": "text-align: left"}]).to_html()
    notebook = executed(display({"text/html": panel, "text/plain": "panel"}), display({"text/html": styled}))
    (tmp_path / "page.html").write_text(to_html(Executed(notebook), "A page", tmp_path))
    page = browser.new_context(offline=True, **SCREENS["phone"]).new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.locator("button").click()
    assert page.locator("output table td").inner_text() == "b"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator(".dcm-scroll:has(.dcm-table)")
    assert box.evaluate("each => each.scrollWidth > each.clientWidth")
    assert color(page, ".dcm-table th.col_heading", "textAlign") == color(page, ".dcm-table td", "textAlign") == "right"
    page.context.close()
