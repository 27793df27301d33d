//! Made-up people with numbers that are kept for fiction.

use std::fmt::Write;

const FIRST: [&str; 20] = [
    "Ada",
    "Björn",
    "Chidi",
    "Dolores",
    "Élodie",
    "Farid",
    "Grace",
    "Hiro",
    "Inés",
    "Jürgen",
    "Katarzyna",
    "Li Na",
    "Márcia",
    "Nadia",
    "Olu",
    "Priya",
    "Quentin",
    "Rosa",
    "Søren",
    "Tomáš",
];
const LAST: [&str; 10] =
    ["Lovelace", "Nilsson", "Okafor", "García", "Dubois", "Rahimi", "Hopper", "Tanaka", "Kowalska", "Novák"];

/// A CSV file of `count` contacts; what becomes of a call to each is the simulator's chance.
pub fn csv(count: u32) -> String {
    let mut out = String::from("Full Name,Phone No.,E-Mail,City\n");
    for n in 0..count as usize {
        let (first, last) = (FIRST[n % FIRST.len()], LAST[n / FIRST.len() % LAST.len()]);
        // Area codes differ, the rest is 555-01xx; the last two digits stay clear of the simulator's special ones.
        let number = format!("({}) 555-01{:02}", 201 + n / 70, 30 + n % 70);
        let _ = writeln!(out, "\"{last}, {first}\",{number},person{n}@example.com,\"Springfield, {}\"", n % 50 + 1);
    }
    out
}
