//! Arguments of `macro_rules!` arrive in separate token groups.
#![deny(warnings)]

use syncmgr::prelude::*;

macro_rules! handler {
    ($handler:ident, $id:literal, $name:literal, $krate:path, $items:literal, $context:ty, $result:ty) => {
        struct $handler;

        #[sync_handler(id = $id, name = $name, crate = $krate, limits(items = $items))]
        impl SyncHandler for $handler {
            async fn synchronize_item(&self, _item: &$context) -> $result {
                Ok(())
            }
        }
    };
}

handler!(Pages, "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", "Pages", ::syncmgr, 2, ItemContext, SyncResult);
handler!(Mail, "0f7c2b7e-93d7-4c55-8a3e-51b1f0a3d1c4", "Mail", ::syncmgr, 1, ItemContext, SyncResult<()>);

#[test]
fn macro_arguments_in_token_groups_are_accepted() {
    assert_eq!(Pages.info().limits().items(), 2);
    assert_eq!(Mail.info().name(), "Mail");
}
