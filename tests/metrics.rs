//! The metrics of a manager, with the feature `metrics`.

use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;

struct Three;

#[sync_handler(id = "5d0f0f6e-6b6c-4a43-9d6e-3c1f0a2b7c11", name = "Three")]
impl SyncHandler for Three {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["well", "also well", "badly"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.name() == "badly" { Err(anyhow!("no")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn the_metrics_count_a_session_and_its_items_by_outcome() {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    SyncManager::new().run(Three).await.expect("the handler can be registered");
    let counted: BTreeMap<String, DebugValue> = snapshots
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| {
            let labels = key.key().labels().map(|label| format!("{}={}", label.key(), label.value()));
            let labels: Vec<_> = labels.filter(|label| !label.starts_with("handler=")).collect();
            (format!("{} {}", key.key().name(), labels.join(" ")), value)
        })
        .collect();
    let counter = |name: &str| match counted.get(name) {
        Some(DebugValue::Counter(count)) => *count,
        other => panic!("{name} is {other:?} in {counted:?}"),
    };
    assert_eq!(counter("syncmgr_sessions_total trigger=manual"), 1);
    assert_eq!(counter("syncmgr_items_total outcome=succeeded"), 2);
    assert_eq!(counter("syncmgr_items_total outcome=failed"), 1);
    assert!(
        matches!(&counted["syncmgr_session_seconds trigger=manual"], DebugValue::Histogram(values) if values.len() == 1)
    );
}
