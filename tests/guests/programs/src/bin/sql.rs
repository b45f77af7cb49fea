//! A database in memory: SQLite, by the crate `rusqlite`.
//!
//! | | |
//! |---|---|
//! | stdin | statements of SQL, one after the other; the database is empty before the first |
//! | stdout | the rows that they give, a line each, the values separated by tabs |
//! | exit | 0, or 1 if a statement fails, with SQLite's reason in the log |

use std::fmt::Write;
use std::process::ExitCode;

use programs::Failure;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, Row};

fn main() -> ExitCode {
    programs::run(|request| {
        let database = Connection::open_in_memory()?;
        let mut lines = String::new();
        let mut statements = Batch::new(&database, request.text()?);
        while let Some(mut statement) = statements.next()? {
            let columns = statement.column_count();
            let mut rows = statement.query(())?;
            while let Some(row) = rows.next()? {
                line(row, columns, &mut lines)?;
            }
        }
        Ok(lines.into_bytes())
    })
}

fn line(row: &Row<'_>, columns: usize, lines: &mut String) -> Result<(), Failure> {
    for column in 0..columns {
        if column > 0 {
            lines.push('\t');
        }
        match row.get_ref(column)? {
            ValueRef::Null => lines.push_str("NULL"),
            ValueRef::Integer(number) => write!(lines, "{number}")?,
            ValueRef::Real(number) => write!(lines, "{number}")?,
            ValueRef::Text(text) => lines.push_str(&String::from_utf8_lossy(text)),
            ValueRef::Blob(bytes) => bytes
                .iter()
                .try_for_each(|byte| write!(lines, "{byte:02x}"))?,
        }
    }
    lines.push('\n');
    Ok(())
}
