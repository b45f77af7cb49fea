//! `kernel/docs/wasi.md` says what every function answers. This reads it, and asks.

mod world;

use std::collections::BTreeMap;

use luge_wasi::{Errno, Function};
use world::{CREATE, Command, DIRECTORY, OTHER_PATH, READ, RESULT, TMP, TOP, WRITE};

/// Each function of a table, and the answers that it promises, by the heads of their columns.
type Table = BTreeMap<String, BTreeMap<String, String>>;

/// The cells of a line of a table.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect(),
    )
}

/// The tables whose first column is `function`, by the headings that they stand below.
fn tables() -> BTreeMap<String, Table> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/wasi.md");
    let text = std::fs::read_to_string(path).expect(path);
    let mut tables = BTreeMap::<String, Table>::new();
    let (mut heading, mut columns) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("### ") {
            heading = name.to_owned();
        }
        match cells(line) {
            Some(head) if head[0] == "function" => columns = head,
            Some(row) if columns.len() == row.len() && row[0].starts_with('`') => {
                let name = row[0].trim_matches('`').to_owned();
                let answers = columns.iter().cloned().zip(row).skip(1);
                let twice = tables
                    .entry(heading.clone())
                    .or_default()
                    .insert(name, answers.collect());
                assert_eq!(twice, None, "{line}");
            }
            Some(_) => {}
            None => columns.clear(),
        }
    }
    tables
}

/// What a cell says, as the errno that it means.
fn promised(cell: &str) -> &str {
    if cell == "works" { "success" } else { cell }
}

fn assert_answers(function: Function, place: &str, cell: &str, answer: Errno) {
    assert_eq!(
        answer.name(),
        promised(cell),
        "{} of {place}",
        function.name()
    );
}

fn by_name(name: &str) -> Function {
    Function::by_name(name).expect(name)
}

#[test]
fn every_function_stands_in_one_table() {
    let tables = tables();
    let mut named: Vec<&str> = tables.values().flatten().map(|(name, _)| &**name).collect();
    let mut all = Function::ALL.map(Function::name).to_vec();
    named.sort_unstable();
    all.sort_unstable();
    assert_eq!(named, all);
}

#[test]
fn functions_of_no_descriptor_answer_as_the_table_says() {
    for (name, row) in &tables()["Of no descriptor"] {
        let function = by_name(name);
        if function == Function::ProcExit {
            assert_eq!(row["answer"], "does not return");
            continue;
        }
        let mut command = Command::with_files();
        let call: &[u64] = match function {
            Function::ClockResGet => &[1, 64],
            Function::ClockTimeGet => &[1, 0, 64],
            Function::PollOneoff => &[64, 512, 1, 1024],
            Function::ProcRaise => &[6],
            Function::SchedYield => &[],
            _ => &[64, 128],
        };
        let answer = command.call(function, call);
        assert_answers(function, "nothing", &row["answer"], answer);
    }
}

/// The command of a call, and a descriptor of the kind that a column speaks of.
fn object(column: &str, function: Function) -> (Command, u32) {
    let mut command = Command::with_files();
    command.create("text", b"some text");
    let writes = matches!(function, Function::FdWrite);
    let number = match column {
        "stream" => u32::from(writes),
        // Writing cannot even be asked for.
        "file below `/`" => command
            .open(TOP, "file", 0, READ | (WRITE & !(1 << 6)))
            .unwrap(),
        "file below `/tmp`" => command.open(TMP, "text", 0, READ | WRITE).unwrap(),
        "directory" if function.name().starts_with("fd_prestat") => TOP,
        "directory" => command
            .open(TMP, ".", DIRECTORY, (1 << 28) - 1 - (1 << 6))
            .unwrap(),
        other => panic!("{other}"),
    };
    (command, number)
}

#[test]
fn functions_of_one_descriptor_answer_as_the_table_says() {
    use Function as F;
    for (name, row) in &tables()["Of one descriptor"] {
        let function = by_name(name);
        for (column, cell) in row.iter().filter(|(column, _)| *column != "what it does") {
            let (mut command, number) = object(column, function);
            command.put_buffers(64, &[(256, 4)]);
            let number = u64::from(number);
            let call: Vec<u64> = match function {
                F::FdPread | F::FdPwrite => vec![number, 64, 1, 0, 128],
                F::FdRead | F::FdWrite => vec![number, 64, 1, 128],
                F::FdReaddir => vec![number, 256, 100, 0, 128],
                F::FdSeek => vec![number, 0, 0, 128],
                F::FdAllocate => vec![number, 0, 100],
                F::FdRenumber => vec![number, 2],
                F::FdFdstatGet | F::FdFilestatGet | F::FdPrestatGet | F::FdTell => {
                    vec![number, 128]
                }
                F::FdPrestatDirName => vec![number, 128, 1],
                _ => {
                    let rest = function.parameters().len() - 1;
                    [vec![number], vec![0; rest]].concat()
                }
            };
            assert_answers(function, column, cell, command.call(function, &call));
        }
    }
}

#[test]
fn functions_of_paths_answer_as_the_table_says() {
    use Function as F;
    for (name, row) in &tables()["Of paths"] {
        let function = by_name(name);
        for (column, directory) in [("below `/`", TOP), ("below `/tmp`", TMP)] {
            let mut command = Command::with_files();
            command.create("file", b"some text");
            let empty = ["empty", "deep"][usize::from(directory == TOP)];
            let _ = command.at(F::PathCreateDirectory, TMP, "empty", &[]);
            let [pointer, length] = command.path("file");
            let link = [pointer, length, TMP.into(), OTHER_PATH.into(), 4];
            command.put(OTHER_PATH, b"link");
            assert_eq!(command.call(F::PathSymlink, &link), Errno::Success);
            let result = u64::from(RESULT);
            let answer = match function {
                F::PathCreateDirectory => command.at(function, directory, "new", &[]),
                F::PathRemoveDirectory => command.at(function, directory, empty, &[]),
                F::PathUnlinkFile => command.at(function, directory, "file", &[]),
                F::PathReadlink => command.at(function, directory, "link", &[256, 99, result]),
                F::PathFilestatGet => command.at_with(function, (directory, 0), "file", &[result]),
                F::PathFilestatSetTimes => {
                    command.at_with(function, (directory, 0), "file", &[0, 0, 2])
                }
                F::PathOpen => match command.open(directory, "file", 0, READ) {
                    Ok(_) => Errno::Success,
                    Err(errno) => errno,
                },
                F::PathSymlink => {
                    let [pointer, length] = command.path("file");
                    let [other, other_length] = command.other_path("new");
                    let call = [pointer, length, directory.into(), other, other_length];
                    command.call(function, &call)
                }
                F::PathRename | F::PathLink => {
                    let other = command.other_path("new");
                    let rest = [&[directory.into()], &other[..]].concat();
                    if function == F::PathRename {
                        command.at(function, directory, "file", &rest)
                    } else {
                        command.at_with(function, (directory, 0), "file", &rest)
                    }
                }
                other => panic!("{other:?} is no function of paths"),
            };
            assert_answers(function, column, &row[column], answer);
        }
    }
}

#[test]
fn what_the_table_says_of_writing_below_the_folder_is_so() {
    let mut command = Command::with_files();
    assert_eq!(command.open(TOP, "file", 0, WRITE), Err(Errno::ReadOnly));
    assert_eq!(command.open(TOP, "new", CREATE, READ), Err(Errno::ReadOnly));
}
