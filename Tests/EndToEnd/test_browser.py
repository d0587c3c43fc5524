"""The sign-in in headless Chromium, from the bucket's URL to the page with the credential."""

import pathlib

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.wait import WebDriverWait

from frontend import ROOT


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=900,1400"):
        options.add_argument(flag)
    options.binary_location = "/usr/bin/chromium"
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


def screenshot(browser, name):
    folder = pathlib.Path(ROOT / ".build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(folder / f"{name}.png"))


def press(browser, value):
    button = WebDriverWait(browser, 20).until(
        expected_conditions.element_to_be_clickable((By.CSS_SELECTOR, f"button[value={value}]")))
    screenshot(browser, "consent")
    button.click()


def answer(browser):
    """The page that the callback answered, once it is the document: the address changes first."""
    return WebDriverWait(browser, 20).until(expected_conditions.visibility_of_element_located(
        (By.TAG_NAME, "main")))


def test_a_person_signs_in_and_reads_the_credential(local, browser, aws, tmp_path):
    browser.get(f"{local.base_url}/{local.collection}/?auth")
    press(browser, "approve")
    text = answer(browser).text
    assert "auth-callback" in browser.current_url
    screenshot(browser, "credential")
    assert "researcher@example.org" in text
    assert local.collection in text
    key_id = next(word for word in text.replace('"', " ").replace("=", " ").split()
                  if word.startswith("GS3A"))
    aws("s3", "cp", f"s3://{local.collection}/example.txt", tmp_path / "copy.txt",
        environment={"AWS_ACCESS_KEY_ID": key_id})
    assert (tmp_path / "copy.txt").read_bytes() == (local.folder / "example.txt").read_bytes()
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"
                and "favicon" not in entry["message"]]


def test_a_person_who_refuses_is_told_what_to_do(local, browser):
    browser.get(f"{local.base_url}/{local.collection}/?auth")
    press(browser, "deny")
    page = answer(browser)
    assert "auth-callback" in browser.current_url
    screenshot(browser, "refused")
    links = [link.get_attribute("href") for link in page.find_elements(By.TAG_NAME, "a")]
    assert f"{local.base_url}/{local.collection}/?auth" in links
