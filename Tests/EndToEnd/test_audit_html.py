"""The record as a page: what it says, and how Chromium shows it on a desk, a phone and paper."""

import base64
import json
import os
import pathlib
import re
import shutil
import sqlite3

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

import record_history
from frontend import ROOT, Program, run, sign_in

HEADINGS = ["How far this goes", "Requests over time", "Bytes over time", "Errors by code",
            "Collections", "Persons", "Objects", "How long requests took"]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Two records of servers that have ended: one with days of requests, one with no request."""
    folder = tmp_path_factory.mktemp("records")
    (folder / "files").mkdir()
    program = Program("local", "--directory", folder / "files", "--listen", "127.0.0.1:0",
                      "--audit-db", folder / "empty.db").wait_ready()
    program.stop()
    shutil.copy(folder / "empty.db", folder / "full.db")
    program = Program("local", "--directory", folder / "files", "--listen", "127.0.0.1:0",
                      "--audit-db", folder / "full.db").wait_ready()
    assert sign_in(program.base_url, program.collection).status_code == 200
    program.stop()
    record_history.insert(folder / "full.db")
    return folder


@pytest.fixture(scope="module")
def page(records):
    answer = run("audit", "report", "--audit-db", records / "full.db", "--html",
                 records / "page.html")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    return records / "page.html"


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(flag)
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


def show(browser, page, width, dark=False, media=""):
    """Opens the page as a device would; returns the addresses that it asked for."""
    browser.get_log("performance")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())
    messages = [json.loads(entry["message"])["message"]
                for entry in browser.get_log("performance")]
    return [message["params"]["request"]["url"] for message in messages
            if message["method"] == "Network.requestWillBeSent"]


def keep(name, data):
    folder = pathlib.Path(ROOT / ".build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(base64.b64decode(data))


@pytest.mark.parametrize("name,width,dark", [
    ("record-desktop", 1280, False), ("record-dark", 1280, True), ("record-phone", 375, False)])
def test_the_page_is_shown_whole(browser, page, name, width, dark):
    assert show(browser, page, width, dark) == [page.as_uri()]
    assert browser.get_log("browser") == []
    assert [heading.text for heading in browser.find_elements("tag name", "h2")] == HEADINGS
    # Nothing stands out of the page: tables scroll in themselves.
    assert browser.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    pictures = browser.execute_script("""
      return [...document.querySelectorAll('svg[role=img]')].map(svg => {
        const named = id => document.getElementById(id).textContent
        const box = svg.getBoundingClientRect()
        const texts = [...svg.querySelectorAll('text')].map(text => text.getBoundingClientRect())
        return {names: svg.getAttribute('aria-labelledby').split(' ').map(named),
                width: box.width, height: box.height,
                outside: texts.filter(text => text.right > innerWidth + 1 || text.left < -1).length,
                shapes: svg.querySelectorAll('rect, circle').length}
      })""")
    assert len(pictures) == 7
    for picture in pictures:
        assert all(picture["names"]) and picture["shapes"] > 0 and picture["outside"] == 0, picture
        assert picture["width"] > 200 and picture["height"] > 40, picture
    dark_paper = browser.execute_script(
        "return getComputedStyle(document.documentElement).backgroundColor") != "rgb(255, 255, 255)"
    assert dark_paper == dark
    keep(f"{name}.png", browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True})["data"])


@pytest.mark.parametrize("width,dark", [(1280, False), (1280, True), (375, False)])
def test_text_is_legible(browser, page, width, dark):
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1 for every text; and none is smaller than 11 px."""
    show(browser, page, width, dark)
    found = browser.execute_script("""
      const rgb = colour => colour.match(/[0-9.]+/g).slice(0, 3).map(Number)
      const light = colour => rgb(colour).map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0)
      const opaque = e => {
        for (; e; e = e.parentElement) {
          const colour = getComputedStyle(e).backgroundColor
          if (!colour.startsWith('rgba(0, 0, 0, 0')) return colour
        }
      }
      return [...document.body.querySelectorAll('*')].filter(e => [...e.childNodes].some(
          n => n.nodeType == 3 && n.data.trim()) && e.tagName != 'title' && e.tagName != 'desc')
        .map(e => {
          const style = getComputedStyle(e)
          const [a, b] = [light(e.ownerSVGElement ? style.fill : style.color), light(opaque(e))]
          return {text: e.textContent, size: parseFloat(style.fontSize),
                  contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)}
        })""")
    assert len(found) > 100
    assert [one for one in found if one["contrast"] < 4.5 or one["size"] < 11] == []


def test_the_page_can_be_printed(browser, page):
    show(browser, page, 1280, dark=True)
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    keep("record.pdf", printed["data"])
    data = base64.b64decode(printed["data"])
    assert data.startswith(b"%PDF-")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 15
    show(browser, page, 700, media="print")
    keep("record-print.png", browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True})["data"])
    assert not browser.find_element("tag name", "details").is_displayed()
    assert browser.execute_script(
        "return getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"


def test_names_from_the_record_do_no_harm(browser, page):
    show(browser, page, 1280)
    assert browser.execute_script("return document.querySelectorAll('script, img').length") == 0
    cells = [cell.text for cell in browser.find_elements("tag name", "td")]
    assert any('</svg><script>alert(1)</script>"\'&\\u{1B}]0;evil\\u{7}\\u{202E}/x' in cell
               for cell in cells)
    # What the browser itself says of the policy: script that is injected all the same doesn't run.
    browser.execute_script("""
      const script = document.createElement('script')
      script.textContent = 'document.title = "harm"'
      document.body.append(script)""")
    assert browser.title.startswith("Record of requests")
    assert any("Content Security Policy" in entry["message"]
               for entry in browser.get_log("browser"))


def test_the_figures_are_those_of_the_record(browser, page, records):
    show(browser, page, 1280)
    with sqlite3.connect(records / "full.db") as db:
        requests, errors, persons = db.execute(
            "SELECT count(*), sum(outcome <> 'ok'), count(DISTINCT identity_id) FROM requests"
        ).fetchone()
        codes = dict(db.execute("SELECT coalesce(error_code, outcome), count(*) FROM requests "
                                "WHERE outcome <> 'ok' GROUP BY 1"))
        durations = [row[0] for row in db.execute(
            "SELECT duration_ms FROM requests WHERE operation = 'HeadObject' "
            "AND duration_ms IS NOT NULL ORDER BY 1")]
    db.close()
    facts = {term.text: value.text for term, value in zip(
        browser.find_elements("tag name", "dt"), browser.find_elements("tag name", "dd"))}
    assert facts["Requests"] == f"{requests:,}"
    assert facts["Errors"].split()[0] == f"{errors:,}"
    assert facts["Persons"] == str(persons)
    rows = {cells[0]: cells for cells in browser.execute_script("""
      return [...document.querySelectorAll('tbody tr')]
        .map(row => [...row.cells].map(cell => cell.textContent))""")}
    assert {code: int(rows[code][2]) for code in codes} == codes
    median = float(rows["HeadObject"][2].removesuffix(" ms"))
    assert median == pytest.approx(durations[(len(durations) - 1) // 2], rel=0.03)
    hours = browser.execute_script("""
      return [...document.querySelector('details').querySelectorAll('tbody tr')]
        .map(row => [...row.cells].map(cell => cell.textContent))""")
    assert 100 < len(hours) <= 240
    assert sum(int(failed) + int(well) for _, failed, well in hours) == requests


def test_an_empty_record_is_a_page_too(browser, records):
    page = records / "nothing.html"
    assert run("audit", "report", "--audit-db", records / "empty.db", "--html",
               page).returncode == 0
    assert show(browser, page, 1280) == [page.as_uri()]
    text = browser.find_element("tag name", "main").text
    assert "The record has no request in this time." in text
    keep("record-empty.png", browser.execute_cdp_cmd("Page.captureScreenshot", {})["data"])


def test_the_file_is_private_replaces_none_and_is_noted(page, records):
    assert page.stat().st_mode & 0o777 == 0o600
    before = page.read_bytes()
    answer = run("audit", "report", "--audit-db", records / "full.db", "--html", page)
    assert answer.returncode == 78 and "choose another file" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1 and page.read_bytes() == before
    with sqlite3.connect(records / "full.db") as db:
        details = [json.loads(row[0]) for row in
                   db.execute("SELECT detail FROM notes WHERE command = 'report'")]
    db.close()
    assert {"html": str(page)} in details


def test_filters_and_several_records(browser, records):
    collection = record_history.COLLECTIONS[0]
    page = records / "one.html"
    assert run("audit", "report", "--audit-db", records / "full.db", "--audit-db",
               records / "empty.db", "--since", "3d", "--collection", collection.upper(), "--html",
               page).returncode == 0
    show(browser, page, 1280)
    text = browser.find_element("tag name", "body").text
    assert f"Only the collection {collection}." in text and "these 2 gateways only" in text
    assert str(records / "empty.db") in text and record_history.COLLECTIONS[1] not in text


@pytest.mark.parametrize("arguments,says", [
    (["reads"], "leave 'reads' out"), (["--format", "json"], "do not go with --html"),
    (["--key-prefix", "a"], "do not go with --html"), (["--limit", "5"], "do not go with --html")])
def test_what_does_not_go_with_a_page(records, arguments, says):
    answer = run("audit", "report", "--audit-db", records / "full.db", "--html",
                 records / "not.html", *arguments)
    assert answer.returncode == 64 and says in answer.stderr
    assert not os.path.exists(records / "not.html")
