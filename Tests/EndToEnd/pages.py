"""Headless Chromium, and how tests go from page to page: never by the address alone, for that
changes before the document does; always by a heading of the page that is expected."""

import contextlib
import os
import pathlib

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.wait import WebDriverWait

from frontend import ROOT

PHONE = {"width": 375, "height": 812, "deviceScaleFactor": 2, "mobile": True}
SIGNED_IN = "You are signed in"


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=900,1400"):
        options.add_argument(flag)
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


def heading(browser, text):
    """The `main` of the page with this heading, once it is the document."""
    place = (By.XPATH, f'//main[.//h1[normalize-space()="{text}"]]')
    return WebDriverWait(browser, 20).until(
        expected_conditions.visibility_of_element_located(place), f"no page {text!r}")


def press(browser, decision):
    """Presses a button of the stand-in's consent page, once that is the document."""
    WebDriverWait(browser, 20).until(expected_conditions.element_to_be_clickable(
        (By.CSS_SELECTOR, f"button[value={decision}]"))).click()


def sign_in_here(browser, url, expected=SIGNED_IN, decision="approve"):
    """From the start of a sign-in to the page at its end, which has the heading `expected`."""
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser.get(url)
    press(browser, decision)
    return heading(browser, expected)


def snippets(browser):
    """The blocks to copy, as they stand on the page: their id and their text."""
    return {pre.get_attribute("id"): pre.get_property("textContent")
            for pre in browser.find_elements(By.CSS_SELECTOR, "figure pre")}


@contextlib.contextmanager
def emulated(browser, *, dark=False, phone=False, script=True):
    """The browser of a person with these settings."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    if phone:
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def screenshots(browser, name):
    """Pictures of the whole page for people to look at: on a desk, in the dark, on a phone."""
    folder = pathlib.Path(os.environ.get("SCREENSHOTS", ROOT / ".build/screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("desk", "desk-dark", "phone", "phone-dark"):
        with emulated(browser, dark="dark" in kind, phone="phone" in kind):
            height = browser.execute_script("return document.documentElement.scrollHeight")
            width = PHONE["width"] if "phone" in kind else 1000
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width, "height": height, "deviceScaleFactor": 1,
                "mobile": "phone" in kind})
            browser.execute_async_script(  # painted at its new size
                "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
            browser.save_screenshot(str(folder / f"{name}-{kind}.png"))
