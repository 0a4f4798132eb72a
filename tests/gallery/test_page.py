"""The page as a visitor sees it, in Chromium."""

import csv
import shutil
import socket
import threading

import playwright.sync_api as playwright
import pytest
import requests

from reid_tf.errors import InputError
from reid_tf.gallery.marks import Marks
from reid_tf.gallery.page import create_page, serve_page
from reid_tf.gallery.pictures import Pictures
from tests.commands.made_run import write_image
from tests.gallery.conftest import COLOURS

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.slow
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


@pytest.fixture
def marks(tmp_path):
    return Marks(tmp_path / "marks.csv")


@pytest.fixture
def filled(gallery, crops, tmp_path):
    write_image(tmp_path / "outside" / "crimson.png", 180, 0, 0)
    for number, name in enumerate(COLOURS):
        gallery.add([crops / f"{name}.png"], camera=number, time=f"2026-05-01T1{number}:00:00Z")
    gallery.add([tmp_path / "outside" / "crimson.png"], person="<b>Eve</b>", camera=9)
    return gallery


def served(page, **options):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    threading.Thread(target=serve_page, args=(page,), kwargs={"port": port, **options}, daemon=True).start()
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            requests.get(address, timeout=1)
            return address
        except requests.ConnectionError:
            threading.Event().wait(0.1)
    raise AssertionError("the page does not answer")


@pytest.fixture
def visit(filled, crops, marks):
    page = create_page(filled, Pictures([crops]), marks)
    address = served(page)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.set_default_timeout(30_000)
        elsewhere = []
        tab.on("request", lambda request: elsewhere.append(request.url) if is_elsewhere(request.url) else None)
        tab.goto(address)
        tab.get_by_role("button", name="Search", exact=True).wait_for()
        yield tab
        assert elsewhere == []  # neither fonts nor scripts nor counts of visits
        browser.close()
    page.close()


def is_elsewhere(url):
    return not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))


def choose_picture(tab, path):
    tab.locator("input[type=file]").first.set_input_files(str(path))


def search(tab, count):
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.get_by_text(f"{count} results.").wait_for()
    playwright.expect(tab.locator(".results .thumbnail-item")).to_have_count(count)


def headings(tab):
    return tab.locator("h3").all_inner_texts()


@in_a_browser
def test_search_look_mark_and_name(visit, crops, filled, marks):
    choose_picture(visit, crops / "red.png")
    visit.locator("img[src*='image']").first.wait_for()
    search(visit, 6)
    assert headings(visit) == ["Not named", "<b>Eve</b>"]
    visit.locator(".results .thumbnail-item").nth(1).focus()
    visit.keyboard.press("Enter")  # without a mouse
    visit.get_by_role("button", name="Same person").click()
    visit.get_by_text("Kept: one person. 1 answers.").wait_for()
    with visit.expect_download() as download:
        visit.get_by_role("button", name="Download the answers").click()
    with open(download.value.path(), encoding="utf-8") as file:
        (answer,) = csv.DictReader(file)
    (entry,) = filled.get([answer["result"]])
    assert (answer["same"], len(marks), entry.camera) == ("true", 1, visit_camera(visit))
    visit.get_by_label("Who this is").fill("Ada")
    visit.get_by_role("button", name="Keep the name").click()
    visit.get_by_text("Kept: this is Ada.").wait_for()
    assert filled.get([entry.id])[0].person == "Ada"
    playwright.expect(visit.locator("h3")).to_have_count(3)
    visit.get_by_role("button", name="Search with it").click()
    visit.get_by_text("5 results.").wait_for()  # not the row itself


def visit_camera(tab):
    return tab.get_by_text("camera").first.inner_text().partition("camera ")[2].partition(" ")[0]


@in_a_browser
def test_words_and_filters(visit):
    visit.get_by_label("In words").fill("red")
    visit.get_by_role("button", name="Filters").click()
    visit.get_by_label("Not these cameras").fill("9")
    visit.keyboard.press("Enter")
    search(visit, 3)
    visit.locator("input.time").first.fill("2026-05-01 11:00:00")
    visit.keyboard.press("Enter")
    search(visit, 2)


@in_a_browser
def test_a_wrong_file_is_a_sentence(visit, tmp_path):
    (tmp_path / "wrong.png").write_bytes(b"no image")
    choose_picture(visit, tmp_path / "wrong.png")
    visit.get_by_text("Received: 'wrong.png' of 8 bytes.").first.wait_for()
    assert str(tmp_path) not in visit.content()


@in_a_browser
def test_nothing_to_search_with_is_a_sentence(visit):
    visit.get_by_role("button", name="Search", exact=True).click()
    visit.get_by_text("A search needs an image").first.wait_for()
    visit.get_by_role("button", name="Filters").click()
    visit.get_by_label("Person").fill("nobody")
    visit.keyboard.press("Enter")
    visit.get_by_text("The gallery has nobody of this name. Received: person='nobody'.").first.wait_for()


@in_a_browser
def test_a_phone_needs_no_scrolling_sideways(visit, crops):
    visit.set_viewport_size({"width": 390, "height": 844})
    choose_picture(visit, crops / "red.png")
    search(visit, 6)
    visit.locator(".results .thumbnail-item").first.click()
    visit.get_by_role("button", name="Same person").wait_for()
    assert visit.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_password_and_files_of_the_machine(filled, crops, marks, tmp_path):
    page = create_page(filled, Pictures([crops]), marks)
    address = served(page, password="secret")
    try:
        refused = requests.post(f"{address}/login", data={"username": "me", "password": "wrong"}, timeout=30)
        assert refused.status_code == 400
        with requests.Session() as visitor:
            file = f"{address}/gradio_api/file={tmp_path}/outside/crimson.png"
            assert visitor.get(file, timeout=30).status_code == 401
            assert visitor.post(f"{address}/login", data={"username": "me", "password": "secret"}, timeout=30).ok
            assert visitor.get(file, timeout=30).status_code == 403
            assert visitor.get(f"{address}/gradio_api/file={crops}/red.png", timeout=30).status_code == 403
    finally:
        page.close()


def test_an_unknown_zone(filled, crops, marks):
    with pytest.raises(InputError, match="'Berlin'"):
        create_page(filled, Pictures([crops]), marks, "Berlin")
