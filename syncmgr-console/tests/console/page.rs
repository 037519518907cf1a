//! The page, without a browser: who may open it, and what its buttons do. `tests/page` has the tests with a browser.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, REFERER, SET_COOKIE};
use hyper::http::request::Builder;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use syncmgr::Trigger;
use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use tokio::net::TcpStream;

use crate::support::Host;

/// The address, the path and the token of the page.
struct Page {
    address: String,
    path: String,
    token: String,
}

impl Page {
    async fn of(host: &Host) -> Self {
        let url = host.console.page().expect("the console has a page");
        let (address, token) =
            url.trim_start_matches("http://").split_once("/?token=").expect("the address has a token");
        let page = Self { address: address.to_owned(), path: String::new(), token: token.to_owned() };
        let request = Request::builder().uri(format!("/?token={token}")).header(HOST, address);
        let location = page.send(request, "").await.1[LOCATION]
            .to_str()
            .expect("a path is ASCII")
            .trim_end_matches('/')
            .to_owned();
        Self { path: location, ..page }
    }

    /// A request of a browser that has opened the page.
    fn request(&self, method: Method, path: &str) -> Builder {
        let cookie = format!("other=1; syncmgr={}", self.token);
        let path = format!("{}{path}", self.path);
        Request::builder().method(method).uri(path).header(HOST, &self.address).header(COOKIE, cookie)
    }

    async fn send(&self, request: Builder, body: &str) -> (StatusCode, hyper::HeaderMap, String) {
        let stream = TcpStream::connect(&self.address).await.expect("the page is served");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it is HTTP");
        tokio::spawn(connection);
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).expect("the request is valid");
        let (parts, body) = sender.send_request(request).await.expect("there is an answer").into_parts();
        let body = body.collect().await.expect("the answer is complete").to_bytes();
        (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
    }

    async fn status(&self, request: Builder) -> u16 {
        self.send(request, "").await.0.as_u16()
    }

    /// Presses a button.
    async fn press(&self, action: &str, form: &str) -> u16 {
        self.submit(&format!("/do/{action}"), form).await.0.as_u16()
    }

    /// Submits a form.
    async fn submit(&self, path: &str, form: &str) -> (StatusCode, hyper::HeaderMap, String) {
        let request = self.request(Method::POST, path).header(ORIGIN, format!("http://{}", self.address));
        self.send(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded"), form).await
    }
}

#[tokio::test]
async fn the_address_with_the_token_opens_the_page() {
    let host = Host::start();
    let page = Page::of(&host).await;
    let request = Request::builder().uri(format!("/items?token={}", page.token)).header(HOST, &page.address);
    let (status, headers, _) = page.send(request, "").await;
    assert!(
        status == StatusCode::SEE_OTHER && headers[LOCATION] == format!("{}/items", page.path),
        "{status} {headers:?}"
    );
    let cookie = headers[SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains(&page.token) && cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    // A browser sends a cookie to the servers of other users too, unless its path is not theirs.
    assert!(cookie.ends_with(&format!("; Path={}/", page.path)) && page.path.len() == 65, "{cookie}");
    for (path, title) in
        [("/", "Now"), ("/items", "Items"), ("/log", "Log"), ("/agenda", "Agenda"), ("/history", "History")]
    {
        let (status, headers, text) = page.send(page.request(Method::GET, path), "").await;
        assert!(status.is_success() && text.contains(&format!("<h2>{title}</h2>")), "{path}: {text}");
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    }
    assert!(!format!("{:?}", host.console).contains(&page.token));
}

#[tokio::test]
async fn an_unknown_address_leads_back_to_the_page() {
    let host = Host::start();
    let page = Page::of(&host).await;
    for (path, back) in [("/nowhere", "./"), ("/items/", "../"), ("/do/a/b", "../../")] {
        let (status, headers, text) = page.send(page.request(Method::GET, path), "").await;
        assert_eq!(
            (status, headers[CONTENT_TYPE].to_str().unwrap()),
            (StatusCode::NOT_FOUND, "text/html; charset=utf-8"),
            "{path}"
        );
        assert!(text.contains(&format!("<a href=\"{back}\">")), "{path}: {text}");
    }
    let (status, _, text) = page.send(page.request(Method::GET, "/do/pause"), "").await;
    assert!(status == StatusCode::METHOD_NOT_ALLOWED && text.contains("<a href=\"../\">"), "{text}");
    let (status, headers, _) = page.send(page.request(Method::GET, "/v1/nowhere"), "").await;
    assert_eq!((status, headers[CONTENT_TYPE].to_str().unwrap()), (StatusCode::NOT_FOUND, "application/json"));
}

#[tokio::test]
async fn requests_without_the_token_or_from_elsewhere_are_refused() {
    let host = Host::start();
    let page = Page::of(&host).await;
    let plain = |path: &str| Request::builder().uri(path).header(HOST, &page.address);
    assert_eq!(page.status(plain("/")).await, 401);
    assert_eq!(page.status(plain("/v1/handlers")).await, 401);
    assert_eq!(page.status(plain("/?token=00")).await, 401);
    assert_eq!(page.status(plain("/v1").header(AUTHORIZATION, format!("Bearer {}", page.token))).await, 200);
    let elsewhere =
        |host: &str| Request::builder().uri("/").header(HOST, host).header(COOKIE, format!("syncmgr={}", page.token));
    assert_eq!(page.status(elsewhere("sync.example:80")).await, 421);
    let foreign = page.request(Method::POST, "/do/pause").header(ORIGIN, "http://sync.example");
    assert_eq!(page.status(foreign).await, 421);
    assert_eq!(page.status(page.request(Method::POST, "/do/pause")).await, 401, "a browser names its origin");
    assert!(host.manager.held().is_empty());
}

#[tokio::test]
async fn a_redirection_with_the_token_stays_on_this_server() {
    let host = Host::start();
    let page = Page::of(&host).await;
    let request = Request::builder().uri(format!("//sync.example/?token={}", page.token)).header(HOST, &page.address);
    let (status, headers, _) = page.send(request, "").await;
    assert!(
        status == StatusCode::SEE_OTHER && headers[LOCATION] == format!("{}//sync.example/", page.path),
        "{status} {headers:?}"
    );
}

#[tokio::test]
async fn the_buttons_do_what_they_say() {
    let host = Host::start();
    let page = Page::of(&host).await;
    host.gate.add_permits(9);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    let handler = host.manager.handlers()[0].id();
    let one = syncmgr::ItemId::from_name("one");
    assert_eq!(page.press("unchoose", &format!("handler={handler}&item={one}")).await, 303);
    let report = host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    assert!(report.items().all(|item| item.item.name() != "one"), "{report}");
    assert_eq!(page.press("run", &format!("handler={handler}&item={one}")).await, 303);
    let session = host.manager.sessions().into_iter().max_by_key(syncmgr::Session::id).expect("it is kept");
    assert_eq!(session.finish().await.items().map(|item| item.item.name().to_owned()).collect::<Vec<_>>(), ["one"]);
    for (action, form) in [("dance", ""), ("skip", ""), ("run", "handler=x"), ("run", "more=1")] {
        assert_eq!(page.press(action, form).await, 400, "{action} {form}");
    }
    let gone = format!("session=99&handler={handler}&item={one}");
    let (status, _, text) = page.submit("/do/skip", &gone).await;
    assert!(status == StatusCode::NOT_FOUND && !text.contains("/v1/"), "{text}");
}

#[tokio::test]
async fn a_setting_is_set_and_reset_and_a_refused_value_is_kept_with_the_reason() {
    let host = Host::start();
    let page = Page::of(&host).await;
    host.gate.add_permits(9);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    let (handler, one) = (host.manager.handlers()[0].id(), syncmgr::ItemId::from_name("one"));
    let path = format!("/settings?handler={handler}&item={one}");
    let items = page.send(page.request(Method::GET, "/items"), "").await.2;
    assert!(items.contains(&path.replace('&', "&amp;")), "{items}");
    let of = format!("handler={handler}&item={one}");
    let (status, headers, _) = page.submit("/settings", &format!("setting=schedule&{of}&value=every+5m")).await;
    assert!(status == StatusCode::SEE_OTHER && headers[LOCATION] == format!(".{path}#schedule"), "{status}");
    let (_, _, shown) = page.send(page.request(Method::GET, &path), "").await;
    assert!(shown.contains("<h2>Settings of one</h2>") && shown.contains("value=\"every 5m\""), "{shown}");
    let (status, _, shown) = page.submit("/settings", &format!("setting=schedule&{of}&value=every+%3Cday%3E")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(shown.contains("value=\"every &lt;day&gt;\"") && shown.contains("aria-invalid=\"true\""), "{shown}");
    assert!(
        shown.contains("id=\"schedule-error\" role=\"alert\">`&lt;day&gt;` cannot be read: write a duration"),
        "{shown}"
    );
    let (_, _, shown) = page.submit("/settings", &format!("setting=schedule&{of}&value=every+1ms")).await;
    assert!(shown.contains("at least one second"), "{shown}");
    assert_eq!(page.submit("/settings", &format!("setting=schedule&{of}")).await.0, StatusCode::SEE_OTHER);
    assert!(host.manager.settings(handler, syncmgr::Subject::Item(one)).unwrap().overrides.is_empty());
    for form in [&format!("setting=color&{of}"), "setting=window&handler=x", "setting=window&more=1", &of] {
        assert_eq!(page.submit("/settings", form).await.0, StatusCode::BAD_REQUEST, "{form}");
    }
    assert_eq!(page.status(page.request(Method::GET, "/settings?handler=x")).await, 400);
}

/// Many items with a schedule each, of which the even ones fail.
struct Large;

#[sync_handler(id = "d1b6f0a4-1f0e-4c33-8f5b-5f0d7f2f9a10", name = "Large")]
impl SyncHandler for Large {
    async fn items(&self) -> SyncResult<Items> {
        let item = |number: u64| {
            let schedule = syncmgr::schedule::Schedule::every(Duration::from_secs(3_600 + number))?;
            Ok(SyncItem::named(format!("Item {number:03}")).with_schedule(schedule))
        };
        (0..250).map(item).collect()
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.name().ends_with(['0', '2', '4', '6', '8']) { Err(anyhow!("no space")) } else { Ok(()) }
    }
}

fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[tokio::test]
async fn long_lists_are_shown_a_page_at_a_time_and_can_be_searched() {
    let host = Host::start();
    let page = Page::of(&host).await;
    let large = host.manager.register(Large).unwrap();
    host.manager.session(Trigger::Manual).handlers([large]).start().unwrap().finish().await;
    let shown = async |path: &str| page.send(page.request(Method::GET, path), "").await;
    let rows = |text: &str| count(text, "<tr id=\"row-");
    for (path, items, marks) in [
        ("/items", 100, ["Items 1 to 100 of 250", "Item 000", "No items are known yet."]),
        ("/items?page=3", 50, ["Items 201 to 250 of 250", "Item 249", "50 of 250 items"]),
        ("/items?page=99", 50, ["Items 201 to 250 of 250", "Item 200", "Previous page"]),
        ("/items?find=item+24", 10, ["Item 240", "value=\"item 24\"", "Show all"]),
        ("/items?find=LARGE", 100, ["Items 1 to 100 of 250", "find=LARGE", "Show all"]),
        ("/items?find=nowhere", 0, ["Nothing has this name.", "Show all", "role=\"search\""]),
    ] {
        let (status, _, text) = shown(path).await;
        assert!(status.is_success() && rows(&text) == items, "{path}: {} {text}", rows(&text));
        marks.iter().for_each(|mark| assert!(text.contains(mark), "{path}: {mark}: {text}"));
    }
    for path in ["/items", "/log", "/agenda"] {
        let (_, _, text) = shown(path).await;
        let labels = ["Pages, above the list", "Pages, below the list"];
        assert_eq!(labels.map(|label| count(&text, &format!("aria-label=\"{label}\""))), [1, 1], "{path}: {text}");
    }
    let (_, _, log) = shown("/log?find=item+11").await;
    assert_eq!((count(&log, "<tr class"), count(&log, "no space")), (5, 5), "{log}");
    let (_, _, log) = shown("/log?page=2").await;
    assert!(log.contains("Entries 101 to 125 of 125") && count(&log, "no space") == 25, "{log}");
    let (_, _, agenda) = shown("/agenda?page=2").await;
    assert!(agenda.contains("<ol start=\"101\">"), "{agenda}");
    for path in ["/items?page=x", "/log?page=-1", "/agenda?pages=1"] {
        assert_eq!(shown(path).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn a_button_leads_back_to_the_row_in_the_page_and_the_search_it_is_in() {
    let host = Host::start();
    let page = Page::of(&host).await;
    host.gate.add_permits(9);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    let (handler, one) = (host.manager.handlers()[0].id(), syncmgr::ItemId::from_name("one"));
    let row = format!("#row-{handler}-{one}");
    for (referer, location) in [
        (format!("http://{}{}/items?page=2&find=o", page.address, page.path), format!("../items?page=2&find=o{row}")),
        (format!("http://{}{}/log?page=2", page.address, page.path), format!("../items{row}")),
        ("http://sync.example/other".to_owned(), format!("../items{row}")),
        ("%".to_owned(), format!("../items{row}")),
    ] {
        let request = page.request(Method::POST, "/do/unchoose").header(ORIGIN, format!("http://{}", page.address));
        let request = request.header(REFERER, &referer).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let (status, headers, _) = page.send(request, &format!("handler={handler}&item={one}")).await;
        assert_eq!((status, headers[LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, &*location), "{referer}");
    }
}

#[tokio::test]
async fn a_long_name_is_broken_anywhere_so_that_the_page_is_not_wider_than_a_phone() {
    let host = Host::start();
    let page = Page::of(&host).await;
    let (_, _, style) = page.send(page.request(Method::GET, "/style.css"), "").await;
    assert_eq!((count(&style, "overflow-wrap"), count(&style, "overflow-wrap: anywhere")), (1, 1), "{style}");
}
