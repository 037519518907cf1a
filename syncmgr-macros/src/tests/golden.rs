//! The expansion of the attribute: a snapshot for each feature.

use insta::assert_snapshot;

use super::{ID, attribute, expansion, handler};

#[test]
fn a_handler_gets_an_info_and_async_trait() {
    assert_snapshot!(expansion(&attribute(""), &handler("")));
}

#[test]
fn flags_are_combined_in_their_order() {
    let flags = "flags(hidden, has_properties, may_establish_connection, always_list)";
    assert_snapshot!(expansion(&attribute(flags), &handler("")));
}

#[test]
fn capabilities_replace_the_default_ones() {
    let capabilities = "capabilities(low_data, real_time, needs_network, idempotent, resumable, cancellable)";
    assert_snapshot!(expansion(&attribute(capabilities), &handler("")));
}

#[test]
fn an_empty_list_of_capabilities_declares_none() {
    assert_snapshot!(expansion(&attribute("capabilities()"), &handler("")));
}

#[test]
fn requirements_are_added_one_by_one() {
    assert_snapshot!(expansion(&attribute("requires(unmetered_network, battery_not_low, idle_user)"), &handler("")));
}

#[test]
fn condition_policy_importance_and_settle_times_are_part_of_the_info() {
    let keys = r#"settle(max_wait = "1min", quiet = "250ms"), importance = high, when_condition_ends = stop"#;
    assert_snapshot!(expansion(&attribute(keys), &handler("")));
}

#[test]
fn invalid_settle_times_leave_the_defaults() {
    let settle = r#"settle(quiet = "0s", max_wait = 60), importance = urgent, when_condition_ends = "stop""#;
    assert_eq!(expansion(&attribute(settle), &handler("")), expansion(&attribute(""), &handler("")));
}

#[test]
fn given_limits_replace_the_defaults_and_others_stay() {
    let limits = r#"limits(items = 4, soft_grace = "250ms", hard_grace = "2min")"#;
    assert_snapshot!(expansion(&attribute(limits), &handler("")));
}

#[test]
fn deadlines_and_stall_rules_are_part_of_the_limits() {
    let limits =
        r#"limits(initialize = "10s", list = "60s", prepare = "5min", stall = "1500ms", when_stalled = report)"#;
    assert_snapshot!(expansion(&attribute(limits), &handler("")));
}

#[test]
fn invalid_limits_leave_the_defaults() {
    let limits = r#"limits(initialize = "0s", list = 60, prepare = "0min", stall = "0ms", when_stalled = abort)"#;
    assert_eq!(expansion(&attribute(limits), &handler("")), expansion(&attribute(""), &handler("")));
}

#[test]
fn state_version_and_retry_rules_are_part_of_the_info() {
    let keys = r#"
        retry(partial_budget = 60, budget = 5, jitter = 0, cap = "2h", factor = 3, initial = "500ms"),
        state_version = 2"#;
    assert_snapshot!(expansion(&attribute(keys), &handler("")));
}

#[test]
fn one_budget_alone_leaves_the_other_at_its_default() {
    let own_rules = |rules: &str| {
        let expansion = expansion(&attribute(&format!("retry({rules})")), &handler(""));
        let (_, rules) = expansion.split_once(".with_retry(").expect("the expansion sets the rules");
        rules.split_whitespace().collect::<String>()
    };
    let default = "::syncmgr::RetryPolicy::DEFAULT";
    let (budget, partial) = (own_rules("budget = 5"), own_rules("partial_budget = 60"));
    assert_eq!(budget, format!("{default}.with_budget(5,{default}.partial_budget),);}}"));
    assert_eq!(partial, format!("{default}.with_budget({default}.budget,60),);}}"));
}

#[test]
fn an_empty_list_of_retry_rules_sets_the_default_policy() {
    assert_snapshot!(expansion(&attribute("retry()"), &handler("")));
}

#[test]
fn invalid_retry_rules_leave_the_defaults() {
    let rules = r#"retry(initial = "0s", factor = 0, cap = 60, jitter = 101, budget = 0, partial_budget = "50")"#;
    assert_eq!(expansion(&attribute(rules), &handler("")), expansion(&attribute("retry()"), &handler("")));
}

#[test]
fn an_added_return_type_uses_the_spelling_of_the_arguments() {
    let migrate = "fn migrate(&self, item: ItemId, from: u32, state: syncmgr::serde_json::Value) { state }";
    assert_snapshot!(expansion(&attribute(""), &handler(migrate)));
}

#[test]
fn the_authors_own_info_is_kept() {
    let info = "fn info(&self) -> HandlerInfo { Self::HANDLER.instance(&self.account) }";
    assert_snapshot!(expansion(&attribute(""), &handler(info)));
}

#[test]
fn generated_paths_use_the_given_crate() {
    let attribute = attribute(
        "flags(hidden), capabilities(resumable), requires(mains), when_condition_ends = finish, importance = low,
        settle(quiet = \"1s\"), limits(when_stalled = cancel), retry(budget = 5),
        crate = crate::vendored::sync",
    );
    let expansion = expansion(&attribute, &handler(""));
    assert!(!expansion.contains("syncmgr::"), "a literal crate name leaked:\n{expansion}");
    assert_snapshot!(expansion);
}

#[test]
fn generics_bounds_attributes_and_comments_are_kept() {
    let item = "
        /// Pages kept for reading offline.
        #[allow(clippy::use_self)]
        impl<'a, S: Store + 'a, const N: usize> sync::SyncHandler for Pages<'a, S, N> where S::Page: Send {
            #![allow(unused)]
            /// Copies one page.
            #[tracing::instrument(skip_all)]
            async fn synchronize_item(&self, item: &sync::ItemContext) -> sync::SyncResult { self.copy(item).await }
            vendor_methods! {}
        }";
    assert_snapshot!(expansion(&attribute(""), item));
}

#[test]
fn a_missing_async_or_return_type_is_added() {
    let item = "impl SyncHandler for OfflinePages {
        fn items(&self) -> SyncResult<Items> { self.list().await }
        async fn synchronize(&self, run: &SynchronizeContext) { self.copy(run).await; }
        async fn synchronize_item(&self, item: &ItemContext) { self.copy(item).await? }
    }";
    assert_snapshot!(expansion(&attribute(""), item));
}

#[test]
fn members_that_do_not_fit_the_trait_go_into_an_inherent_impl() {
    let item = handler(
        "fn info(&mut self) -> HandlerInfo { Self::HANDLER }
        fn helper(&self) {}
        const WIDTH: Size = Size { columns: 80 };
        type Page = String;",
    );
    assert_snapshot!(expansion(&attribute(""), &item));
}

#[test]
fn an_invalid_id_and_name_are_replaced_by_valid_ones() {
    assert_snapshot!(expansion(r#"id = "0", name = "", limits(items = 0)"#, &handler("")));
}

#[test]
fn a_misspelled_trait_is_corrected() {
    assert_snapshot!(expansion(&attribute(""), "impl sync::SyncHandlr for Pages {}"));
}

#[test]
fn a_missing_trait_is_added_if_a_method_belongs_to_it() {
    let item = "impl Pages { async fn items(&self) -> SyncResult<Items> { self.list().await } }";
    assert_snapshot!(expansion(&attribute(""), item));
}

#[test]
fn the_authors_own_async_trait_is_dropped() {
    let item = format!("#[async_trait::async_trait] {}", handler(""));
    assert_eq!(expansion(&attribute(""), &item), expansion(&attribute(""), &handler("")));
}

#[test]
fn an_item_that_is_not_a_handler_is_returned_unchanged() {
    for item in ["struct Pages;\n", "impl Pages {}\n", "impl Display for Pages {}\n", "fn pages() {}\n"] {
        assert_eq!(expansion(ID, item), item);
    }
}
