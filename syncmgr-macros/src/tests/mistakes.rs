//! The reported mistakes and their positions.

use super::{ID, attribute, handler, mistakes};

/// Returns the source text and the first line of the only mistake.
fn only_mistake(attribute: &str, item: &str) -> (String, String) {
    let mistakes = mistakes(attribute, item);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    let (source, message) = &mistakes[0];
    (source.clone(), message.lines().next().unwrap_or_default().to_owned())
}

/// Returns the source text and the last line of the only mistake in an impl with this method.
fn only_mistake_in_method(method: &str) -> (String, String) {
    let mistakes = mistakes(&attribute(""), &handler(method));
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    let (source, message) = &mistakes[0];
    assert!(message.starts_with("expected `"), "{message}");
    (source.clone(), message.lines().last().unwrap_or_default().to_owned())
}

fn pair(source: &str, message: &str) -> (String, String) {
    (source.to_owned(), message.to_owned())
}

#[test]
fn a_valid_handler_has_no_mistakes() {
    assert_eq!(mistakes(&attribute("flags(), capabilities(), limits(),"), &handler("")), []);
}

#[test]
fn every_method_with_its_contract_signature_is_accepted() {
    let methods =
        crate::contract::methods().map(|name| format!("{} {{ loop {{}} }}", crate::contract::signature(name)));
    let item = format!("impl SyncHandler for Pages {{ {} }}", methods.join(" "));
    assert_eq!(mistakes(&attribute(""), &item), []);
}

#[test]
fn other_spellings_of_a_signature_are_accepted() {
    for method in [
        "async fn items(self: &Self) -> SyncResult<Items> {}",
        "async fn items(&self) -> (SyncResult<Items>) {}",
        "fn set_item_status(&self, run: &RunContext, subject: Subject, status: Status) -> () {}",
        "fn migrate(&self, _: ItemId, from: u32, state: Value) -> SyncResult<Value> {}",
        "fn migrate(&self, _: ItemId, _: u32, state: syncmgr::serde_json::Value) -> Result<serde_json::Value> {}",
        "fn migrate(&self, _: ItemId, _: Version, state: Json) -> anyhow::Result<Json> {}",
    ] {
        assert_eq!(mistakes(&attribute(""), &handler(method)), [], "{method}");
    }
}

#[test]
fn all_mistakes_are_reported_in_source_order() {
    let item = "impl SyncHandler for Pages {
        fn items(&mut self) -> SyncResult {}
        async fn prepare(&self, run: RunContext) {}
        fn synchronise(&self) {}
        const WIDTH: u8 = 80;
    }";
    let mistakes = mistakes(r#"id = "x", nmae = "", flags(hiden), limits(items = 0)"#, item);
    let sources: Vec<&str> = mistakes.iter().map(|(source, _)| source.as_str()).collect();
    assert_eq!(
        sources,
        [
            "\"x\"",
            "nmae",
            "\"\"",
            "hiden",
            "0",
            "fn",
            "&mut self",
            "SyncResult",
            "RunContext",
            ")",
            "synchronise",
            "const"
        ]
    );
}

#[test]
fn a_missing_id_or_name_is_reported_at_the_attribute() {
    let (source, message) = only_mistake(r#"name = "Pages""#, &handler(""));
    assert_eq!((source.as_str(), message.as_str()), ("", "`id` is missing"));
    assert_eq!(only_mistake(ID, &handler("")).1, "`name` is missing");
}

#[test]
fn an_invalid_id_is_reported_with_its_reason() {
    for (id, wrong) in [
        ("g2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", "this is not a UUID: `g` is not a hexadecimal digit"),
        ("d2f0", "this is not a UUID: its digits are grouped 4, not 8-4-4-4-12"),
        ("00000000-0000-0000-0000-000000000000", "the nil UUID cannot name a handler"),
        (
            "{d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59}",
            "write the UUID with hyphens and nothing around it: `d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59`",
        ),
    ] {
        let attribute = format!(r#"id = "{id}", name = "Pages""#);
        assert_eq!(only_mistake(&attribute, &handler("")), pair(&format!("{id:?}"), wrong));
    }
}

#[test]
fn a_name_may_have_31_utf_16_characters_and_no_more() {
    let named = |name: &str| format!(r#"{ID}, name = "{name}""#);
    assert_eq!(mistakes(&named(&"x".repeat(31)), &handler("")), []);
    assert!(only_mistake(&named(&"x".repeat(32)), &handler("")).1.ends_with("this one has 32"));
    assert!(only_mistake(&named(&"🗂".repeat(16)), &handler("")).1.ends_with("this one has 32"));
}

#[test]
fn a_value_of_the_wrong_kind_is_reported_with_an_example() {
    for (entry, source, wrong) in [
        ("id = 5", "5", r#"expected a string literal, as in `id = ".."`"#),
        ("id = PAGES", "PAGES", r#"expected a string literal, as in `id = ".."`"#),
        ("id", "id", r#"expected a value, as in `id = ".."`"#),
    ] {
        assert_eq!(only_mistake(&format!(r#"{entry}, name = "Pages""#), &handler("")), pair(source, wrong));
    }
    for (entry, source, wrong) in [
        ("flags = hidden", "flags", "expected a list, as in `flags(hidden)`"),
        ("flags(hidden = true)", "hidden", "a flag has no value: write `hidden`, or leave it out"),
        ("capabilities = resumable", "capabilities", "expected a list, as in `capabilities(cancellable, resumable)`"),
        (
            "capabilities(resumable = false)",
            "resumable",
            "a capability has no value: write `resumable`, or leave it out",
        ),
        (
            "requires(idle_user, active_user)",
            "requires",
            "`idle_user` and `active_user` exclude each other: no automatic run could start",
        ),
        ("capabilities(8)", "8", "expected a capability, as in `capabilities(cancellable, resumable)`"),
        ("limits", "limits", "expected a list, as in `limits(items = 4)`"),
        (r#"limits(items = "4")"#, r#""4""#, "expected a whole number, as in `items = 4`"),
        ("limits(items = -1)", "-1", "expected a whole number from 1 to 4294967295"),
        ("limits(soft_grace = 5)", "5", r#"expected a duration in quotes, as in `soft_grace = "250ms"`"#),
        (r#"limits(soft_grace = "5sec")"#, r#""5sec""#, "`5sec` is not a duration"),
        ("limits(initialize)", "initialize", r#"expected a value, as in `initialize = "10s"`"#),
        ("limits(list = 60)", "60", r#"expected a duration in quotes, as in `list = "60s"`"#),
        (r#"limits(prepare = "5m")"#, r#""5m""#, "`5m` is not a duration"),
        ("limits(when_stalled)", "when_stalled", "expected a value, as in `when_stalled = report`"),
        (
            r#"limits(when_stalled = "report")"#,
            r#""report""#,
            "expected `cancel` or `report`, with nothing around it, as in `when_stalled = report`",
        ),
        (
            "limits(when_stalled = StallPolicy::Report)",
            "StallPolicy::Report",
            "expected `cancel` or `report`, with nothing around it, as in `when_stalled = report`",
        ),
        (r#"crate = "a::b""#, r#""a::b""#, "expected a path without quotes, as in `crate = path::to::syncmgr`"),
        ("crate = 5", "5", "expected a path, as in `crate = path::to::syncmgr`"),
    ] {
        assert_eq!(only_mistake(&attribute(entry), &handler("")), pair(source, wrong));
    }
}

#[test]
fn a_soft_grace_longer_than_the_hard_grace_is_a_mistake() {
    let limits = r#"limits(soft_grace = "6s", hard_grace = "5s")"#;
    let wrong = "`soft_grace` is longer than `hard_grace`";
    assert_eq!(only_mistake(&attribute(limits), &handler("")), pair("hard_grace", wrong));
    assert_eq!(mistakes(&attribute(r#"limits(soft_grace = "5s", hard_grace = "5s")"#), &handler("")), []);
}

#[test]
fn a_deadline_or_stall_of_zero_is_reported_with_an_example() {
    let call = "a deadline of zero would end every call immediately";
    for (key, zero, flaw, example) in [
        ("initialize", "0s", call, "10s"),
        ("list", "0ms", call, "60s"),
        ("prepare", "0min", call, "5min"),
        ("stall", "0s", "a stall time of zero would stall every item immediately", "10min"),
    ] {
        let mistakes = mistakes(&attribute(&format!("limits({key} = {zero:?})")), &handler(""));
        let message = format!("{flaw}\nwrite more than zero, as in `{key} = {example:?}`, or leave it out");
        assert_eq!(mistakes, [pair(&format!("{zero:?}"), &message)]);
    }
    assert_eq!(mistakes(&attribute(r#"limits(soft_grace = "0s", hard_grace = "0s")"#), &handler("")), []);
}

#[test]
fn a_misspelled_capability_or_stall_policy_is_recognized() {
    for (entry, source, wrong) in [
        (
            "capabilities(cancelable)",
            "cancelable",
            "there is no capability `cancelable`, did you mean `cancellable`?\n\
             the capabilities are `cancellable`, `resumable`, `idempotent`, `needs_network`, `real_time`, \
             `low_data`",
        ),
        (
            "limits(when_stalled = Report)",
            "Report",
            "there is no stall policy `Report`, did you mean `report`?\nthe stall policies are `cancel`, `report`",
        ),
    ] {
        assert_eq!(mistakes(&attribute(entry), &handler("")), [pair(source, wrong)]);
    }
}

#[test]
fn a_key_for_claims_is_reported_with_advice() {
    for (entry, source) in [(r#"claims("account")"#, "claims"), (r#"claim = "account""#, "claim")] {
        let wrong = "a claim is made at run time and cannot be in the constant `HANDLER`";
        assert_eq!(only_mistake(&attribute(entry), &handler("")), pair(source, wrong));
    }
}

#[test]
fn a_key_given_twice_is_reported_at_the_second() {
    let (source, message) = only_mistake(&attribute(r#"name = "Other""#), &handler(""));
    assert_eq!((source.as_str(), message.as_str()), ("name", "`name` is given twice"));
    let (source, message) = only_mistake(&attribute("flags(hidden, hidden)"), &handler(""));
    assert_eq!((source.as_str(), message.as_str()), ("hidden", "`hidden` is given twice"));
}

#[test]
fn a_misspelled_required_key_is_not_reported_as_missing_too() {
    let (source, message) = only_mistake(&format!(r#"{ID}, nmae = "Pages""#), &handler(""));
    assert_eq!((source.as_str(), message.as_str()), ("nmae", "there is no key `nmae`, did you mean `name`?"));
}

#[test]
fn a_signature_mistake_is_reported_at_the_smallest_token() {
    let item = "`&self` belongs here: one handler serves several calls at the same time; store the data of a run with \
                `run.keep(..)`";
    for (method, source, wrong) in [
        ("fn items(&self) -> SyncResult<Items> {}", "fn", "`async` is missing"),
        ("async fn info(&self) -> HandlerInfo {}", "async", "this method is not async: remove `async`"),
        ("async fn items(&mut self) -> SyncResult<Items> {}", "&mut self", item),
        ("async fn items(self) -> SyncResult<Items> {}", "self", item),
        ("async fn items(self: Arc<Self>) -> SyncResult<Items> {}", "self: Arc<Self>", item),
        (
            "async fn items() -> SyncResult<Items> {}",
            "(",
            "`&self` is missing: the host calls this method on a handler",
        ),
        ("async fn prepare(&self) -> SyncResult {}", ")", "an argument is missing"),
        (
            "async fn prepare(&self, run: &PrepareContext, item: u8) -> SyncResult {}",
            "u8",
            "this argument is one too many",
        ),
        (
            "async fn prepare(&self, run: PrepareContext) -> SyncResult {}",
            "PrepareContext",
            "`&PrepareContext` belongs here",
        ),
        ("async fn prepare(&self, run: &RunContext) -> SyncResult {}", "RunContext", "`PrepareContext` belongs here"),
        ("async fn items(&self) {}", ")", "the return type is missing: `-> SyncResult<Items>`"),
        ("async fn items(&self) -> SyncResult {}", "SyncResult", "`SyncResult<Items>` belongs here"),
        (
            "fn set_item_status(&self, run: &RunContext, subject: Subject, status: Status) -> SyncResult {}",
            "SyncResult",
            "this method returns nothing",
        ),
        (
            "async fn items<T>(&self) -> SyncResult<Items> {}",
            "<T>",
            "hosts call a handler as `dyn SyncHandler`, so its methods have no generics",
        ),
        ("unsafe fn info(&self) -> HandlerInfo {}", "unsafe", "remove `unsafe`"),
        (
            "async fn migrate(&self, item: ItemId, from: u32, state: Value) -> SyncResult<Value> {}",
            "async",
            "this method is not async: remove `async`",
        ),
        (
            "fn migrate(&self, item: ItemId, from: u32, state: &Value) -> SyncResult<Value> {}",
            "&Value",
            "`serde_json::Value` belongs here",
        ),
        (
            "fn migrate(&self, item: ItemId, from: u64, state: Value) -> SyncResult<Value> {}",
            "u64",
            "`u32` belongs here",
        ),
        ("fn migrate(&self, item: ItemId, state: Value) -> SyncResult<Value> {}", ")", "an argument is missing"),
        (
            "fn migrate(&self, item: ItemId, from: u32, state: Value) -> SyncResult {}",
            "SyncResult",
            "`SyncResult<serde_json::Value>` belongs here",
        ),
        (
            "fn migrate(&self, item: ItemId, from: u32, state: Value) {}",
            ")",
            "the return type is missing: `-> SyncResult<serde_json::Value>`",
        ),
    ] {
        assert_eq!(only_mistake_in_method(method), pair(source, wrong), "{method}");
    }
}

#[test]
fn an_impl_without_a_synchronize_method_is_reported_at_the_trait() {
    let (source, message) = only_mistake(&attribute(""), "impl sync::SyncHandler for Pages {}");
    assert_eq!(
        (source.as_str(), message.as_str()),
        ("sync::SyncHandler", "neither `synchronize_item` nor `synchronize` is implemented")
    );
}

#[test]
fn a_misspelled_or_generated_synchronize_method_counts() {
    let (source, _) = only_mistake(&attribute(""), "impl SyncHandler for Pages { fn synchronise_item(&self) {} }");
    assert_eq!(source, "synchronise_item");
    assert_eq!(mistakes(&attribute(""), "impl SyncHandler for Pages { methods! {} }"), []);
    assert_eq!(mistakes(&attribute(""), "impl SyncHandler for Pages { const A: u8 = 1; }").len(), 2);
}

#[test]
fn a_foreign_member_is_reported_at_its_name_or_keyword() {
    let source = |member: &str| only_mistake(&attribute(""), &handler(member)).0;
    assert_eq!(source("methods! {} fn helper(&self) {}"), "helper");
    assert_eq!(source("const A: u8 = 1;"), "const");
    assert_eq!(source("type A = u8;"), "type");
}

#[test]
fn an_unknown_method_gets_a_suggestion_or_advice_for_helpers() {
    let last_line = |method: &str| {
        let mistakes = mistakes(&attribute(""), &handler(method));
        mistakes[0].1.lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(last_line("fn helper(&self) {}"), "helpers belong in a separate `impl` of the type");
    assert!(last_line("fn item(&self) {}").starts_with("the methods are `info`, `initialize`"));
}

#[test]
fn an_item_that_is_not_a_handler_is_reported_at_its_keyword_or_name() {
    let attribute = attribute("");
    for (item, source, wrong) in [
        (
            "pub(crate) struct Pages;",
            "struct",
            "`#[sync_handler]` belongs on `impl SyncHandler for ..`, not on this `struct`",
        ),
        ("impl Pages {}", "Pages", "this impl names no trait: write `impl SyncHandler for ..`"),
        (
            "impl fmt::Display for Pages {}",
            "Display",
            "`#[sync_handler]` belongs on `impl SyncHandler for ..`, not on an impl of `Display`",
        ),
    ] {
        assert_eq!(only_mistake(&attribute, item), pair(source, wrong));
    }
    let method = "async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {}";
    let source = |head: &str| only_mistake(&attribute, &format!("{head} {{ {method} }}")).0;
    assert_eq!(source("impl SyncHandlr for Pages"), "SyncHandlr");
    assert_eq!(source("impl !SyncHandler for Pages"), "!");
    assert_eq!(source("unsafe impl SyncHandler for Pages"), "unsafe");
}

#[test]
fn a_redundant_attribute_is_reported() {
    let below = format!("#[async_trait] {}", handler(""));
    assert_eq!(only_mistake(&attribute(""), &below).0, "#[async_trait]");
    let twice = format!("#[syncmgr::sync_handler(..)] {}", handler(""));
    assert_eq!(only_mistake(&attribute(""), &twice).1, "`#[sync_handler]` is given twice");
    let above = "impl SyncHandler for Pages {
        fn synchronize<'life0, 'async_trait>(&'life0 self) -> Pin<Box<dyn Future + 'async_trait>> { loop {} }
    }";
    let (source, message) = only_mistake(&attribute(""), above);
    assert_eq!(source, "");
    assert_eq!(message, "remove the `#[async_trait]` above: `#[sync_handler]` adds it");
}
