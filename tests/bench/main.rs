//! Prints what things cost in guest instructions, as JSON.
fn main() {}
