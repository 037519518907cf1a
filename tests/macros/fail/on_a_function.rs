use syncmgr::sync_handler;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
fn synchronize() {}

fn main() {
    synchronize();
}
