# `just` lists what there is to do. Everything is a plain cargo command as well: see CONTRIBUTING.md.

_list:
    @just --list --unsorted

# The inner loop.
quick *ARGS:
    cargo quick {{ ARGS }}

# All tests, samples of the long ones.
test *ARGS:
    cargo test --workspace {{ ARGS }}

# The long tests as a whole.
whole:
    KILL_WHOLE=1 cargo test --test kill
    SIM_SEEDS=1000 cargo test -p syncmgr-sim --test simulation
    cargo loom

# Format, lints, spelling.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    typos

# The documentation, as it is published.
doc *ARGS:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features {{ ARGS }}

# The macro's messages as they are now; read every change.
bless:
    TRYBUILD=overwrite cargo test -p syncmgr-macro-tests --test fail

# A bench: `just bench session`.
bench NAME *ARGS:
    cargo bench --bench {{ NAME }} -- {{ ARGS }}

# Play so many seeds of the simulation.
simulate SEEDS="100000":
    SIM_SEEDS={{ SEEDS }} cargo run --release -p syncmgr-sim --example simulate

# What a change has to pass.
ci:
    .ci/run
