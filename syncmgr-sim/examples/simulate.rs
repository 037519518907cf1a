//! Plays seeds of the simulation: `SIM_SEEDS=100000 cargo run --release -p syncmgr-sim --example simulate`.

fn main() {
    let summary = syncmgr_sim::Simulation::new().run(1_000);
    println!("{} seeds, hash {:016x}", summary.seeds, summary.hash);
}
