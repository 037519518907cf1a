use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures::task::noop_waker;
use notify::event::{AccessKind, AccessMode, DataChange, Flag, MetadataKind};
use syncmgr_core::id::ItemId;
use syncmgr_core::local_change::LocalChange;
use syncmgr_runtime::change_source::WatchEvent;

use super::super::roots::Roots;
use super::super::shared::Search;
use super::*;

const DATA: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));

/// Two items, `/data/a` and `/data/b`, in a directory that does not exist.
fn watch() -> (Arc<Shared>, Events) {
    let paths =
        [("/missing/a", 1), ("/missing/b", 2)].map(|(path, item)| (path.into(), [ItemId::from_u128(item)].into()));
    let shared = Arc::new(Shared::new(Roots::new(BTreeMap::<PathBuf, BTreeSet<ItemId>>::from(paths))));
    (shared.clone(), Events::new(shared))
}

fn event(kind: EventKind, path: &str) -> notify::Result<Event> {
    Ok(Event::new(kind).add_path(path.into()))
}

/// Returns the numbers of the items that the stream reports now.
fn reported(shared: &Shared) -> Vec<u128> {
    let (waker, mut items) = (noop_waker(), Vec::new());
    let mut cx = std::task::Context::from_waker(&waker);
    while let std::task::Poll::Ready(Some(WatchEvent::Changed(LocalChange::Item(item)))) = shared.poll_next(&mut cx) {
        items.push(item.guid().as_u128());
    }
    items
}

/// Returns the directories to search now.
fn searched(shared: &Shared) -> Vec<PathBuf> {
    shared.search_path("/end".as_ref());
    match shared.next_search() {
        Some(Search::Paths(paths)) => paths.into_iter().filter(|path| path != "/end").collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_event_concerns_the_items_above_its_path_and_each_item_once() {
    let (shared, mut events) = watch();
    for path in ["/missing/a/1", "/missing/a/2", "/missing/b", "/missing/c", "/missing"] {
        events.handle_event(event(DATA, path));
    }
    assert_eq!(reported(&shared), [1, 2]);
    events.handle_event(event(DATA, "/missing/b/1"));
    assert_eq!((reported(&shared), reported(&shared)), (vec![2], vec![]));
}

#[test]
fn reading_is_no_change() {
    let (shared, mut events) = watch();
    for kind in [AccessKind::Open(AccessMode::Any), AccessKind::Close(AccessMode::Read), AccessKind::Read] {
        events.handle_event(event(EventKind::Access(kind), "/missing/a/1"));
    }
    assert_eq!(reported(&shared), []);
}

#[test]
fn lost_events_are_a_change_of_every_item_and_a_search_of_everything() {
    let (shared, mut events) = watch();
    events.handle_event(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
    assert_eq!(reported(&shared), [1, 2]);
    assert_eq!(shared.next_search(), Some(Search::Everything));
}

#[test]
fn a_watched_path_that_moves_or_a_directory_above_it_is_searched() {
    let (shared, mut events) = watch();
    events.handle_event(event(EventKind::Remove(RemoveKind::Folder), "/missing/a"));
    assert_eq!((reported(&shared), searched(&shared)), (vec![1], vec!["/missing/a".into()]));
    events.handle_event(event(EventKind::Modify(ModifyKind::Name(RenameMode::To)), "/missing"));
    assert_eq!((reported(&shared), searched(&shared)), (vec![1, 2], vec!["/missing".into()]));
    events.handle_event(event(EventKind::Create(CreateKind::Folder), "/missing/other"));
    assert_eq!((reported(&shared), searched(&shared)), (vec![], vec![]));
}

#[test]
fn a_new_directory_is_searched_and_a_new_file_is_not() {
    let (shared, mut events) = watch();
    events.handle_event(event(EventKind::Create(CreateKind::File), "/missing/a/file"));
    events.handle_event(event(EventKind::Create(CreateKind::Folder), "/missing/a/folder"));
    assert_eq!((reported(&shared), searched(&shared)), (vec![1], vec!["/missing/a/folder".into()]));
}

#[test]
fn an_unreadable_directory_is_searched_once_its_permissions_change() {
    let (shared, mut events) = watch();
    let changed = || event(EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), "/missing/a/secret");
    events.handle_event(changed());
    assert_eq!(searched(&shared), Vec::<PathBuf>::new());
    assert!(shared.is_unreadable("/missing/a/secret".as_ref()));
    events.handle_event(changed());
    assert_eq!(searched(&shared), [PathBuf::from("/missing/a/secret")]);
}

#[test]
fn too_many_directories_to_search_become_a_search_of_everything() {
    let (shared, mut events) = watch();
    for number in 0..2_000 {
        events.handle_event(event(EventKind::Create(CreateKind::Folder), &format!("/missing/a/{number}")));
    }
    assert_eq!(shared.next_search(), Some(Search::Everything));
    assert!(events.directories.len() <= MAX_DIRECTORIES);
}

#[test]
fn the_memory_of_a_watch_does_not_grow_with_the_events() {
    let paths = (0..1_000_u128).map(|item| (format!("/missing/{item}").into(), [ItemId::from_u128(item)].into()));
    let shared = Arc::new(Shared::new(Roots::new(paths.collect())));
    let mut events = Events::new(shared.clone());
    for number in 0..100_000 {
        events.handle_event(event(DATA, &format!("/missing/{}/file", number % 1_000)));
    }
    assert_eq!(shared.waiting(), 1_000);
    assert!(events.directories.len() <= 1_000);
}
