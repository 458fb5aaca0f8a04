//! `wasi-functions.def`, read from the same file as the C side reads it.

use crate::config::{GRANT_CLI, GRANT_FILESYSTEM, GRANT_SOCKETS_DENIED, Options};
use std::sync::LazyLock;

pub const UNKNOWN: u32 = u32::MAX;

struct Row {
    interface: &'static str,
    function: &'static str,
    grant: &'static str,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    include_str!("../wasi-functions.def")
        .lines()
        .filter_map(|line| {
            let row = line.strip_prefix("X(\"")?.strip_suffix(")")?;
            let (interface, rest) = row.split_once("\", \"")?;
            let (function, grant) = rest.split_once("\", ")?;
            Some(Row {
                interface,
                function,
                grant,
            })
        })
        .collect()
});

/// "wasi:cli/run@0.2.3" without its version, when that is any of 0.2.
pub fn unversioned(import: &str) -> Option<&str> {
    let (name, version) = import.split_once('@')?;
    let patch = version.strip_prefix("0.2.")?;
    (!patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit())).then_some(name)
}

fn granted(grant: &str, o: &Options) -> bool {
    let cli = o.grants & GRANT_CLI != 0;
    let filesystem = o.grants & GRANT_FILESYSTEM != 0;
    let clock = o.clock != 0;
    match grant {
        "CLI" => cli,
        "FILESYSTEM" => filesystem,
        "CLOCK" => clock,
        "RANDOM" => o.random != 0,
        "IO" => cli || filesystem || clock,
        "SOCKETS" => o.grants & GRANT_SOCKETS_DENIED != 0,
        _ => false,
    }
}

/// May the component import this function? If not: its row, or UNKNOWN.
pub fn judge(import: &str, function: &str, o: &Options) -> Result<(), u32> {
    let interface = unversioned(import).ok_or(UNKNOWN)?;
    let row = ROWS
        .iter()
        .position(|r| r.interface == interface && r.function == function)
        .ok_or(UNKNOWN)?;
    if granted(ROWS[row].grant, o) {
        Ok(())
    } else {
        Err(row as u32)
    }
}
