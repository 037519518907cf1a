# `just` lists the recipes. Each runs plain commands, which CONTRIBUTING.md explains.

_list:
    @just --list --unsorted

# Run the tests of the inner loop.
quick *ARGS:
    cargo quick {{ ARGS }}

# Run all tests, with a sample of the long ones.
test *ARGS:
    cargo test --workspace {{ ARGS }}

# Run the complete long tests.
whole:
    KILL_WHOLE=1 cargo test --test kill
    SIM_SEEDS=1000 cargo test -p syncmgr-sim --test simulation
    cargo loom

# Check format, lints and spelling.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    typos

# Build the documentation as it is published.
doc *ARGS:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features {{ ARGS }}

# Accept the current messages of the macro; review every change.
bless:
    TRYBUILD=overwrite cargo test -p syncmgr-macro-tests --test fail

# Run a benchmark, for example `just bench session`.
bench NAME *ARGS:
    cargo bench --bench {{ NAME }} -- {{ ARGS }}

# Run this number of seeds of the simulation.
simulate SEEDS="100000":
    SIM_SEEDS={{ SEEDS }} cargo run --release -p syncmgr-sim --example simulate

# Run everything that a change has to pass.
ci:
    .ci/run
