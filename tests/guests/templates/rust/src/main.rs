//! A function: standard input is the body of the request, standard output that of the response, and the
//! arguments are the values of the query. What goes to standard error is in the log.

use std::env;
use std::io::{self, Read};

fn main() -> io::Result<()> {
    let name = env::args().nth(1).unwrap_or("world".into());
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body)?;
    println!("Hello, {name}! You sent {} bytes.", body.len());
    Ok(())
}
