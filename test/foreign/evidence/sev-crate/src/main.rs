// Evidence judged by the `sev` crate, in the words of go-sev-guest/main.go: requests of five parts on standard input ("vcek" or
// "vlek", report, signing key, issuer, root), one line back for each: "1", or "0" and why. With -times N every request is
// judged N times and the nanoseconds of one are added. The crate knows no date; -at is read and passed over.
use std::io::{Read, Write};
use std::time::Instant;

use sev::certs::snp::{Chain, Verifiable};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;

fn judge(parts: &[Vec<u8>]) -> Result<(), String> {
    let chain = Chain::from_der(&parts[3], &parts[2], &parts[1]).map_err(|e| e.to_string())?;
    let report = AttestationReport::from_bytes(&parts[0]).map_err(|e| e.to_string())?;
    (&chain, &report).verify().map_err(|e| e.to_string())
}

/// None at the end of the input.
fn part(input: &mut impl Read) -> Option<Vec<u8>> {
    let mut size = [0u8; 4];
    input.read_exact(&mut size).ok()?;
    let mut data = vec![0u8; u32::from_be_bytes(size) as usize];
    input.read_exact(&mut data).ok()?;
    Some(data)
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let times: u32 = words
        .windows(2)
        .find(|w| w[0] == "-times")
        .map_or(1, |w| w[1].parse().expect("-times needs a number"));
    std::panic::set_hook(Box::new(|_| {}));
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    while part(&mut input).is_some() {
        let parts: Vec<Vec<u8>> = (0..4)
            .map(|_| part(&mut input).expect("a request is cut short"))
            .collect();
        let begin = Instant::now();
        let mut verdict = Ok(());
        for _ in 0..times {
            verdict = std::panic::catch_unwind(|| judge(&parts)).unwrap_or(Err("panic".into()));
        }
        let each = match times {
            1 => String::new(),
            n => format!(" {}", begin.elapsed().as_nanos() / u128::from(n)),
        };
        match verdict {
            Ok(()) => writeln!(output, "1{each}"),
            Err(why) => writeln!(output, "0{each} {}", why.replace('\n', " ")),
        }
        .and_then(|()| output.flush())
        .expect("cannot answer");
    }
}
