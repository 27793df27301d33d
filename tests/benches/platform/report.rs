//! Small tables.

use crate::load::Load;
use std::fmt;
use std::time::Duration;

/// What is wanted of a figure.
#[derive(Debug, Clone, Copy)]
pub enum Aim {
    /// Of its ratio to the reference.
    Ratio(f64),
    /// Of the figure itself.
    AtMost(f64),
}

/// One figure.
#[derive(Debug)]
pub struct Row {
    pub what: String,
    pub value: f64,
    /// Of half of the requests, and of 99 in 100.
    pub latency: Option<[Duration; 2]>,
    pub ratio: Option<f64>,
    pub aim: Option<Aim>,
}

/// The figures of one measurement.
#[derive(Debug)]
pub struct Table {
    pub title: String,
    pub unit: &'static str,
    pub rows: Vec<Row>,
    /// What somebody must know to read it.
    pub note: &'static str,
}

impl Row {
    pub fn new(what: impl Into<String>, value: f64) -> Self {
        Self { what: what.into(), value, latency: None, ratio: None, aim: None }
    }

    pub fn of_load(what: impl Into<String>, load: &Load) -> Self {
        Self { latency: Some([load.half, load.most]), ..Self::new(what, load.per_second) }
    }

    pub fn ratio(self, ratio: f64) -> Self {
        Self { ratio: Some(ratio), ..self }
    }

    pub fn aim(self, aim: Aim) -> Self {
        Self { aim: Some(aim), ..self }
    }

    fn verdict(&self) -> String {
        let (aim, met) = match self.aim {
            None => return String::new(),
            Some(Aim::Ratio(least)) => (format!(">= {least:.2}"), self.ratio.is_some_and(|ratio| ratio >= least)),
            Some(Aim::AtMost(most)) => (format!("<= {most}"), self.value <= most),
        };
        format!("{aim} {}", if met { "met" } else { "MISSED" })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1_000.0);
        writeln!(f, "{:<46}{:>12}{:>9}{:>9}{:>8}  aim", self.title, self.unit, "p50 ms", "p99 ms", "ratio")?;
        for row in &self.rows {
            let [half, most] = row.latency.map(|latency| latency.map(milliseconds)).unwrap_or_default();
            let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let line = format!("  {:<44}{:>12.0}{half:>9}{most:>9}{ratio:>8}  {}", row.what, row.value, row.verdict());
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f, "  {}", self.note)
    }
}
