//! What others need of the image tool: the compiler of native code.

pub mod compile;
