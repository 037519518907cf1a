//! Nothing, but without it cargo would not look at what is built for it.

fn main() {}
