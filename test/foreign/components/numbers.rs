//! Reads numbers, says how many, their sum and their mean; by Rust's standard library.
use std::io::{BufRead, BufReader};
use std::{env, error, fs, process};

fn work(input: &str, output: &str) -> Result<usize, Box<dyn error::Error>> {
    let mut numbers = Vec::new();
    for line in BufReader::new(fs::File::open(input)?).lines() {
        numbers.push(line?.trim().parse::<f64>()?);
    }
    let sum: f64 = numbers.iter().sum();
    let mean = sum / numbers.len().max(1) as f64;
    fs::write(output, format!("{} numbers, sum {:.4}, mean {:.4}\n", numbers.len(), sum, mean))?;
    Ok(numbers.len())
}

fn main() {
    let words: Vec<String> = env::args().collect();
    if words.len() != 3 {
        eprintln!("usage: numbers IN OUT");
        process::exit(2);
    }
    match work(&words[1], &words[2]) {
        Ok(n) => println!("{} numbers read", n),
        Err(e) => {
            eprintln!("{}", e);
            process::exit(1);
        }
    }
}
