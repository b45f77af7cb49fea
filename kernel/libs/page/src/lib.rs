//! The status page for browsers: one file, with style and script in it, that asks for nothing but what the same
//! port says of the machine.
//!
//! [`HTML`] is put together by `build.rs` out of the files in `page/`; [`POLICY`] names their digests, so that a
//! browser runs this script and no other, whatever gets into the page.
#![no_std]
#![forbid(unsafe_code)]

/// The page.
pub const HTML: &str = include_str!(concat!(env!("OUT_DIR"), "/page.html"));

/// What the page may do: the value of `Content-Security-Policy` that belongs to it.
pub const POLICY: &str = include_str!(concat!(env!("OUT_DIR"), "/policy"));
