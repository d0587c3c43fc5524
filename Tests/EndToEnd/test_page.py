"""The pages for everybody: by keyboard, on a phone, in the dark, on paper, without script, and
under their own Content-Security-Policy."""

import base64
import hashlib
import re

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from frontend import sign_in
from pages import browser, emulated, heading, sign_in_here, snippets  # noqa: F401

PAGES = ["signed in", "strict", "refused", "which", "unknown"]
ACTIVE = """
const element = document.activeElement, style = getComputedStyle(element);
return [element.tagName, element.textContent + (element.name || ""),
        style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
"""
# Contrast by WCAG 2.2 (1.4.3) of every text with the ground that it stands on.
CONTRAST = """
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const luminance = color => color.slice(0, 3).map(value => value / 255).map(
  value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4,
).reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
const ground = element => {
  for (; element; element = element.parentElement) {
    const color = rgb(getComputedStyle(element).backgroundColor);
    if (color.length === 3) return color;
    if (color[3] !== 0) throw new Error("half transparent");
  }
  throw new Error("no ground");
};
const found = [];
const check = (element, color, what) => {
  const [light, dark] = [luminance(rgb(color)), luminance(ground(element))].sort((a, b) => b - a);
  found.push([(light + 0.05) / (dark + 0.05), what]);
};
for (const element of document.body.querySelectorAll("*")) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  if (own && element.tagName !== "SCRIPT" && element.getClientRects().length)
    check(element, getComputedStyle(element).color, element.textContent.trim().slice(0, 40));
  if (element.placeholder)
    check(element, getComputedStyle(element, "::placeholder").color, "placeholder");
}
return found;
"""


def show(browser, local, page):  # noqa: F811
    """Brings the browser to this page."""
    start = f"{local.base_url}/{local.collection}/?auth"
    if page in ("signed in", "strict"):
        sign_in_here(browser, start + ("&strict" if page == "strict" else ""))
    elif page == "refused":
        sign_in_here(browser, start, "You did not grant access", decision="deny")
    elif page == "which":
        browser.get(f"{local.base_url}/?auth")
        heading(browser, "Which collection?")
    else:
        browser.get(f"{local.base_url}/11111111-2222-4333-8444-555555555555/?auth")
        heading(browser, "No such collection")


@pytest.fixture(params=PAGES)
def page(request, local, browser):  # noqa: F811
    show(browser, local, request.param)
    return browser


@pytest.fixture
def signed_in(local, browser):  # noqa: F811
    show(browser, local, "signed in")
    return browser


def clipboard(browser, local):  # noqa: F811
    browser.execute_cdp_cmd("Browser.grantPermissions", {
        "origin": local.base_url, "permissions": ["clipboardReadWrite"]})
    try:
        return browser.execute_async_script(
            "navigator.clipboard.readText().then(arguments[0], error => arguments[0](null))")
    finally:
        browser.execute_cdp_cmd("Browser.resetPermissions", {})


def copy_button(browser, name):  # noqa: F811
    return browser.find_element(By.XPATH, f'//pre[@id="{name}"]/..//button')


def test_the_language_the_title_and_the_headings(page):
    html = page.find_element(By.TAG_NAME, "html")
    assert html.get_attribute("lang") == "en"
    levels = [int(element.tag_name[1]) for element in
              page.find_elements(By.CSS_SELECTOR, "h1, h2, h3, h4, h5, h6")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    assert page.title == page.find_element(By.TAG_NAME, "h1").text + " · Globus over S3"
    ids = [element.get_attribute("id") for element in page.find_elements(By.CSS_SELECTOR, "[id]")]
    assert len(ids) == len(set(ids))
    for link in page.find_elements(By.CSS_SELECTOR, "a[href^='#']"):
        assert link.get_dom_attribute("href")[1:] in ids
    for field in page.find_elements(By.CSS_SELECTOR, "input:not([type=hidden])"):
        assert page.find_elements(By.CSS_SELECTOR, f"label[for={field.get_attribute('id')}]")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_contrast(page, dark):
    with emulated(page, dark=dark):
        found = page.execute_script(CONTRAST)
        ground = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert len(found) > 4
    assert not [(ratio, text) for ratio, text in found if ratio < 4.5]
    assert (max(map(int, re.findall(r"\d+", ground))) < 64) == dark


def test_on_a_phone(page):
    with emulated(page, phone=True):
        assert page.execute_script("return innerWidth") == 375
        assert page.execute_script("return document.documentElement.scrollWidth") <= 375
        for target in page.find_elements(By.CSS_SELECTOR, "button, .button, nav a, input"):
            if target.is_displayed():
                assert target.size["height"] >= 24, target.text
        for pre in page.find_elements(By.TAG_NAME, "pre"):
            assert pre.value_of_css_property("white-space-collapse") == "preserve"
            assert pre.value_of_css_property("text-wrap-mode") == "nowrap"
            assert pre.value_of_css_property("overflow-x") == "auto"
        if page.find_elements(By.ID, "key-id"):
            widths = "const key = document.getElementById('key-id'); " \
                     "return [key.scrollWidth, key.clientWidth]"
            inner, outer = page.execute_script(widths)
            assert inner > 3 * outer


def test_by_keyboard_every_stop_in_order_and_visible(page):
    stops = page.execute_script("""
      return [...document.querySelectorAll(
        "a[href], button, input:not([type=hidden]), [tabindex='0']")].map(
          element => [element.tagName, element.textContent + (element.name || "")]);""")
    seen = []
    for _ in stops:
        ActionChains(page).send_keys(Keys.TAB).perform()
        tag, text, visible = page.execute_script(ACTIVE)
        assert visible, (tag, text)
        seen.append([tag, text])
    assert seen == stops


def test_a_block_is_copied_with_enter(signed_in, local):
    for name, text in snippets(signed_in).items():
        button = copy_button(signed_in, name)
        assert button.accessible_name.startswith("Copy: ")
        signed_in.execute_script("arguments[0].focus()", button)
        ActionChains(signed_in).send_keys(Keys.ENTER).perform()
        WebDriverWait(signed_in, 20).until(lambda _: button.text == "Copied")
        assert clipboard(signed_in, local) == text
        said = signed_in.find_element(By.CSS_SELECTOR, "[role=status]").get_property("textContent")
        assert said == button.accessible_name.replace("Copy: ", "Copied: ")
    buttons = signed_in.find_elements(By.CSS_SELECTOR, "figure button")
    assert [button.text for button in buttons].count("Copied") == 1


def test_a_block_is_copied_where_the_clipboard_interface_is_missing(browser, local):  # noqa: F811
    """As over plain HTTP from another machine."""
    hidden = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {
        "source": "Object.defineProperty(Navigator.prototype, 'clipboard', {value: undefined})"})
    try:
        show(browser, local, "signed in")
        assert browser.execute_script("return navigator.clipboard === undefined")
        text = snippets(browser)["key-id"]
        button = copy_button(browser, "key-id")
        button.send_keys(Keys.ENTER)
        WebDriverWait(browser, 20).until(lambda _: button.text == "Copied")
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", hidden)
    show(browser, local, "which")
    assert clipboard(browser, local) == text


def test_without_script(browser, local):  # noqa: F811
    with emulated(browser, script=False):
        main = sign_in_here(browser, f"{local.base_url}/{local.collection}/?auth")
        assert not browser.find_elements(By.TAG_NAME, "button")
        assert not browser.find_elements(By.CSS_SELECTOR, ".local")
        assert "researcher@example.org" in main.text
        key = browser.find_element(By.ID, "key-id")
        text = key.get_property("textContent")
        key.click()  # selects all of it
        ActionChains(browser).key_down(Keys.CONTROL).send_keys("c").key_up(Keys.CONTROL).perform()
    show(browser, local, "which")
    assert clipboard(browser, local) == text


def test_the_end_is_shown_in_local_time_too(browser, local):  # noqa: F811
    browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kathmandu"})
    try:
        show(browser, local, "signed in")
        hour, minute = re.search(
            r"(\d\d):(\d\d):\d\d UTC", browser.find_element(By.TAG_NAME, "time").text).groups()
        minutes = int(hour) * 60 + int(minute) + 5 * 60 + 45
        here = browser.find_element(By.CSS_SELECTOR, ".local").text
        assert f"{minutes // 60 % 24:02}:{minutes % 60:02}" in here
    finally:
        browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


def test_on_paper(signed_in):
    signed_in.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    signed_in.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": 700, "height": 1000, "deviceScaleFactor": 1, "mobile": False})
    try:
        assert not copy_button(signed_in, "key-id").is_displayed()
        cut = "return [...document.querySelectorAll('pre')].filter(" \
              "pre => pre.scrollWidth > pre.clientWidth).map(pre => pre.id)"
        assert signed_in.execute_script(cut) == []
        assert not [text for ratio, text in signed_in.execute_script(CONTRAST) if ratio < 4.5]
    finally:
        signed_in.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        signed_in.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    paper = signed_in.execute_cdp_cmd("Page.printToPDF", {})["data"]
    assert base64.b64decode(paper).startswith(b"%PDF-")


def test_what_is_injected_neither_runs_nor_loads(signed_in):
    signed_in.get_log("browser")
    signed_in.execute_script("""
      const script = document.createElement("script");
      script.textContent = "document.title = 'injected'";
      document.body.append(script);
      const image = document.createElement("img");
      image.src = location.origin + "/image";
      document.body.append(image);
      const style = document.createElement("style");
      style.textContent = "h1{color:rgb(1,2,3)}";
      document.body.append(style);""")
    refused = set()

    def all_refused(_):
        for entry in signed_in.get_log("browser"):
            refused.update(re.findall(r"(script|style|img|default)-src", entry["message"]))
        return {"script", "style"} <= refused and refused & {"img", "default"}
    WebDriverWait(signed_in, 20).until(all_refused)
    assert signed_in.title != "injected"
    color = signed_in.find_element(By.TAG_NAME, "h1").value_of_css_property("color")
    assert "1, 2, 3" not in color


@pytest.mark.parametrize("kind", ["success", "failure"])
def test_the_headers_of_the_pages(local, kind):
    decision = "approve" if kind == "success" else "deny"
    answer = sign_in(local.base_url, local.collection, accept="text/html", decision=decision)
    policy = dict(part.strip().split(" ", 1)
                  for part in answer.headers["Content-Security-Policy"].split(";"))
    for tag in ("script", "style"):
        text, = re.findall(f"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy.pop(f"{tag}-src") == f"'sha256-{digest}'"
    form = policy.pop("form-action")
    assert form == ("'none'" if kind == "success" else "https: http:")
    assert policy == dict.fromkeys(("default-src", "base-uri", "frame-ancestors"), "'none'")
    expected = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
                "Cross-Origin-Opener-Policy": "same-origin"}
    assert expected.items() <= dict(answer.headers).items()
