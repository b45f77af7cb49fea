//! Tests across modules: samples that are whole, and what becomes of damaged ones.

mod config;
mod damage;
mod kernel;
mod paging;
mod plan;
mod records;
mod regions;
mod sample;
