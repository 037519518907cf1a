"""The page in a browser: bars move, one item is skipped, a question is answered, and axe-core finds nothing."""

import re
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import expect, sync_playwright

VIEWS = {"now": "/", "items": "/items", "log": "/log", "agenda": "/agenda", "history": "/history"}


def live(page):
    """Waits until the page follows the events."""
    expect(page.locator("#state")).to_have_text("Live")


def percent(page, name):
    text = page.get_by_role("row").filter(has_text=name).get_by_role("cell").first.inner_text()
    return int(re.search(r"(\d+)%", text)[1])


def bars_move_and_one_item_is_skipped(page):
    page.get_by_role("button", name="Run all").click()
    bar = page.locator("progress[aria-label='letter.txt']")
    expect(bar).to_be_visible()
    before = percent(page, "letter.txt")
    skip = page.get_by_role("button", name="Skip photo.jpg")
    page.get_by_role("button", name="Stop session").focus()
    page.wait_for_function("before => document.querySelector(\"progress[aria-label='letter.txt']\")?.value * 5 > before", arg=before)
    assert page.evaluate("document.activeElement.id").startswith("stop-"), "a change of the page keeps the focus"
    skip.click()
    expect(page.locator("progress[aria-label='photo.jpg']")).to_have_count(0)
    expect(bar).to_be_visible()
    expect(page.get_by_text("Nothing is running.")).to_be_visible(timeout=10_000)


def everything_is_paused_and_resumed(page):
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Everything is paused")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Everything is paused")).to_have_count(0)


def items_are_chosen_and_a_handler_gets_a_secret(page, origin):
    """A choice and a question of a handler are answered in the view of the running sessions."""
    page.goto(origin + "/")
    live(page)
    page.get_by_role("button", name="Choose and run").click()
    question = page.locator("section.question")
    for name in ["letter.txt", "photo.jpg", "report.pdf", "video.mp4"]:
        question.get_by_role("checkbox", name=name).uncheck()
    question.get_by_role("checkbox", name="private.zip").check()
    question.get_by_role("button", name="Run these").click()
    secret = page.get_by_role("textbox", name="The password of the server")
    expect(secret).to_be_visible()
    secret.fill("opensesame")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Nothing is running.")).to_be_visible(timeout=10_000)
    assert "opensesame" not in page.content()


def results_are_shown(page, origin):
    page.goto(f"{origin}/items")
    live(page)
    for name, text in [("letter.txt", "succeeded"), ("photo.jpg", "skipped"), ("report.pdf", "waits for an answer")]:
        expect(page.get_by_role("row").filter(has_text=name).first).to_contain_text(text)
    page.get_by_role("button", name="Leave out photo.jpg").click()
    expect(page.get_by_role("button", name="Choose photo.jpg")).to_be_visible()


def a_question_is_answered_and_its_item_runs_again(page, origin):
    page.goto(f"{origin}/log")
    page.get_by_role("row").filter(has_text="Which one is right?").get_by_role("button", name="on the server").first.click()
    page.goto(f"{origin}/items")
    live(page)
    expect(page.get_by_role("row").filter(has_text="report.pdf").first).to_contain_text("succeeded", timeout=15_000)


def a_failure_is_followed_to_its_retry(page, origin):
    page.goto(f"{origin}/items")
    expect(page.get_by_role("row").filter(has_text="video.mp4").first).to_contain_text("the disk is full")
    page.goto(f"{origin}/agenda")
    live(page)
    retry = page.get_by_role("listitem").filter(has_text="to retry")
    expect(retry).to_be_visible()
    expect(retry).to_have_count(0, timeout=30_000)
    page.goto(f"{origin}/items")
    live(page)
    expect(page.get_by_role("row").filter(has_text="video.mp4").first).to_contain_text("succeeded", timeout=30_000)


def a_schedule_is_set_and_a_wrong_one_is_kept_with_the_reason(page, origin, problems):
    page.goto(f"{origin}/items")
    page.get_by_role("link", name="Settings of letter.txt").click()
    field = page.get_by_role("textbox", name="When it runs by itself")
    field.fill("every <day>")
    field.press("Enter")
    field = page.get_by_role("textbox", name="When it runs by itself")
    expect(field).to_have_value("every <day>")
    expect(field).to_have_accessible_description(re.compile("^`<day>` cannot be read"))
    # Browsers report the status of the page with the reason.
    assert all("400" in problem for problem in problems), problems
    problems.clear()
    field.fill("every 15m")
    page.get_by_role("button", name="Set the schedule").click()
    expect(page.get_by_text("You have set this.")).to_be_visible()
    page.goto(f"{origin}/agenda")
    expect(page.get_by_role("listitem").filter(has_text="every 15m")).to_be_visible()
    page.goto(f"{origin}/items")
    page.get_by_role("link", name="Settings of letter.txt").click()
    page.get_by_role("button", name="Reset the schedule").click()
    expect(page.get_by_text("You have set this.")).to_have_count(0)


def an_item_fails_again(page, origin):
    page.goto(f"{origin}/items")
    live(page)
    page.get_by_role("button", name="Run video.mp4").click()
    expect(page.get_by_text("Nothing is running.")).to_be_visible(timeout=10_000)
    page.goto(f"{origin}/items")
    expect(page.get_by_role("row").filter(has_text="video.mp4").first).to_contain_text("the disk is full", timeout=15_000)


def settings_with_a_problem(page, origin):
    """Opens the settings of an item with a value that is refused."""
    page.goto(f"{origin}/items")
    page.get_by_role("link", name="Settings of letter.txt").click()
    page.get_by_role("textbox", name="When it runs by itself").fill("hourly")
    page.get_by_role("button", name="Set the schedule").click()
    expect(page.get_by_role("alert")).to_be_visible()


def nothing_is_wrong_for_a_screen_reader(browser, address, axe, pictures):
    for scheme, width in [("light", 1000), ("dark", 390)]:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
        page = context.new_page()
        page.goto(address)
        origin = page.url.rstrip("/")
        for name, path in [*VIEWS.items(), ("settings", None)]:
            if path is None:
                settings_with_a_problem(page, origin)
            else:
                page.goto(origin + path)
            live(page)
            page.evaluate(axe)
            violations = page.evaluate("axe.run().then(found => found.violations.map(of => [of.id, of.nodes[0].html]))")
            assert violations == [], (scheme, path, violations)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, "wider than the window")
            if pictures:
                page.screenshot(path=f"{pictures}/{name}-{scheme}.png")
        context.close()


def a_file_that_leads_to_the_page_opens_it(browser, address):
    """The file of `syncmgr web` is another site for the browser."""
    with tempfile.NamedTemporaryFile("w", suffix=".html") as file:
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">')
        file.flush()
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"file://{file.name}")
        page.wait_for_url("http://" + urlsplit(address).netloc + "/*/")
        live(page)
        context.close()


def main(address, axe, pictures):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page, problems = browser.new_page(), []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        assert "token" not in page.url, "the token stays out of the history"
        live(page)
        # Below a path that other servers on this machine do not know, so that they do not get the cookie.
        origin = page.url.rstrip("/")
        assert urlsplit(page.url).path != "/", page.url
        a_file_that_leads_to_the_page_opens_it(browser, address)
        bars_move_and_one_item_is_skipped(page)
        everything_is_paused_and_resumed(page)
        results_are_shown(page, origin)
        a_failure_is_followed_to_its_retry(page, origin)
        a_question_is_answered_and_its_item_runs_again(page, origin)
        a_schedule_is_set_and_a_wrong_one_is_kept_with_the_reason(page, origin, problems)
        items_are_chosen_and_a_handler_gets_a_secret(page, origin)
        an_item_fails_again(page, origin)
        assert problems == [], problems
        nothing_is_wrong_for_a_screen_reader(browser, address, Path(axe).read_text(), pictures)
        browser.close()
    print("the page works in the browser, and axe-core finds nothing")


if __name__ == "__main__":
    main(*sys.argv[1:])
