//! Writes `tests/data/contacts-1000.csv`, always the same bytes:
//!
//! ```sh
//! cargo run -p tests --example contacts > tests/data/contacts-1000.csv
//! ```
//!
//! The numbers lie in ranges that are kept for fiction wherever a country has some (NXX-555-01XX in North America,
//! Ofcom's, the Bundesnetzagentur's, Arcep's, ACMA's and PTS's drama numbers); India has none.

use std::collections::BTreeMap;
use std::io::Write;

const ROWS: usize = 1000;
const FAILED: usize = 30;
const DUPLICATES: usize = 20;
/// No duplicate comes before this row, so that there is something to repeat.
const FIRST_DUPLICATE: usize = 40;
const SEED: u64 = 1000;
const HEADER: [&str; 6] = ["Full Name", "Phone No.", "E-Mail", "Company", "City", "Notes"];

/// Where people live: the country code, the city, the area code, the part that all numbers share, and how many
/// digits are free.
type Place = (&'static str, &'static str, &'static str, &'static str, usize);
#[rustfmt::skip]
const AMERICA: &[Place] = &[
    ("1", "New York", "212", "555-01", 2), ("1", "Los Angeles", "213", "555-01", 2), ("1", "Chicago", "312", "555-01", 2),
    ("1", "Houston", "713", "555-01", 2), ("1", "Phoenix", "602", "555-01", 2), ("1", "Philadelphia", "215", "555-01", 2),
    ("1", "San Antonio", "210", "555-01", 2), ("1", "San Diego", "619", "555-01", 2), ("1", "Dallas", "214", "555-01", 2),
    ("1", "San Francisco", "415", "555-01", 2), ("1", "Seattle", "206", "555-01", 2), ("1", "Denver", "303", "555-01", 2),
    ("1", "Boston", "617", "555-01", 2), ("1", "Miami", "305", "555-01", 2), ("1", "Honolulu", "808", "555-01", 2),
    ("1", "Toronto", "416", "555-01", 2), ("1", "Vancouver", "604", "555-01", 2), ("1", "Montréal", "514", "555-01", 2),
];
#[rustfmt::skip]
const ELSEWHERE: &[Place] = &[
    ("44", "London", "20", "7946 0", 3), ("44", "London", "20", "7946 0", 3), ("44", "Manchester", "161", "496 0", 3),
    ("44", "Edinburgh", "131", "496 0", 3), ("44", "Leeds", "113", "496 0", 3), ("49", "Berlin", "30", "23125 ", 3),
    ("49", "München", "89", "99998 ", 3), ("49", "Köln", "221", "4710 ", 3), ("49", "Hamburg", "40", "66969 ", 3),
    ("33", "Paris", "1", "99 00 ", 4), ("33", "Lyon", "4", "65 71 ", 4), ("61", "Sydney", "2", "5550 ", 4),
    ("46", "Göteborg", "31", "390 06 ", 2), ("91", "Mumbai", "22", "5550 0", 3), ("91", "Mumbai", "22", "5550 0", 3),
];
#[rustfmt::skip]
const GIVEN: &[&str] = &[
    "Aaliyah", "Adaeze", "Amélie", "André", "Ángela", "Anaïs", "Beatriz", "Björn", "Camille", "Carlos", "Chloë", "Daniel",
    "Dmitri", "Elena", "Émile", "Fatima", "François", "Freya", "George", "Grace", "Hannah", "Håkon", "Ibrahim", "Ingrid",
    "Jack", "Jürgen", "José", "Karolína", "Kwame", "Léa", "Łukasz", "Luca", "Mary-Jane", "Matthew", "Minh", "Nadia",
    "Noël", "Olivia", "Ömer", "Priya", "Quentin", "Rajesh", "Renée", "Sana", "Søren", "Thandiwe", "Tomás", "Ursula",
    "Victoria", "William", "Xiomara", "Yusuf", "Zoë", "Þóra",
];
#[rustfmt::skip]
const FAMILY: &[&str] = &[
    "Abdi", "Andersson", "Brown", "Çelik", "Castañeda", "Da Silva", "D'Angelo", "Díaz", "Dvořák", "Eriksson", "Fischer",
    "García", "González", "Grønn", "Hernández", "Iyer", "Johnson", "Jones", "Kovács", "Kumar", "Lefèvre", "López",
    "MacLeod", "Martin", "Müller", "Muñoz", "Nguyễn", "Nowak", "O'Neill", "Okafor", "Öztürk", "Papadopoulou", "Patel",
    "Peña", "Quinn", "Ruiz", "Šimić", "Schäfer", "Singh", "Smith", "St. John", "Suárez", "Taylor", "Tóth", "van der Berg",
    "Weiß", "Williams", "Yılmaz", "Żak",
];
#[rustfmt::skip]
const WHOLE_NAMES: &[&str] = &[
    "山田 太郎", "佐藤 花子", "王小明", "李 娜", "김민준", "이서연", "Иван Петров", "Ольга Смирнова", "Γιώργος Παππάς",
    "Ελένη Νικολάου", "محمد علي", "فاطمة الزهراء", "דוד כהן", "राहुल शर्मा", "प्रिया वर्मा", "ณัฐพล สุขใจ", "Dr. Amina Yusuf, PhD",
    "Robert \"Bob\" Miller", "Martin Luther King, Jr.", "Ms. Jean-Luc d'Étoile",
];
#[rustfmt::skip]
const COMPANIES: &[&str] = &[
    "", "", "Acme Corp.", "Baker, Sons & Co.", "Blue Harbour Travel", "Café Zürich", "Cooper & Cooper, LLP", "Dragon 龙 Imports",
    "Evergreen Solar, Inc.", "Fjord Shipping AS", "García Hermanos, S.A.", "Globex", "Initech", "L'Atelier", "Northwind Traders",
    "O'Reilly's Hardware", "Smith; Jones", "The \"Best\" Bakery", "Wagner GmbH & Co. KG", "Zażółć Sp. z o.o.",
];
#[rustfmt::skip]
const NOTES: &[&str] = &[
    "", "", "", "", "", "Prefers mornings", "Met at the fair, asked for a quote", "Call back after 5 pm",
    "Said: \"send me the brochure first\"", "Two sites:\nmain office and warehouse", "Speaks French and English",
    "Line one\n\nLine three, with \"quotes\", and a comma", "VIP; handle with care", "+1 for the newsletter",
    "=SUM(A1:A2) pasted from a sheet", "@maria knows the details", "- no voicemail please", "naïve question about pricing – answered",
    "Budget: €5,000 / year", "👍 happy customer", "tab\there",
];
/// What is no phone number in the United States nor anywhere.
#[rustfmt::skip]
const BAD_NUMBERS: &[&str] = &[
    "", "", "", "", "", "", "unknown", "n/a", "none", "ask reception", "TBD", "see notes", "-", "12345", "555-0142",
    "(212) 555-01", "+44 20", "+44 20 7946 012", "+49 30", "911", "(000) 555-0123", "+1 555 010 0199", "999-999-9999",
    "+1 (123) 456-7890", "+999 123456", "+44 9999 999999", "+33 0 12 34 56 78", "+1 212 555 0100 1234 77",
    "0000000000", "+1 (212) 055-0142",
];

/// `SplitMix64`: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or_default() % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Good,
    Failed,
    Duplicate,
}

/// A number in its parts: country, area, and the rest in groups.
#[derive(Clone)]
struct Number {
    country: &'static str,
    city: &'static str,
    area: &'static str,
    rest: String,
    notation: usize,
}

/// How people write a number of America, and of elsewhere. `{c}` country, `{a}` area, `{r}` the rest, `{d}` the
/// rest's digits alone, `{-}` the rest with hyphens, `{.}` with dots.
#[rustfmt::skip]
const AT_HOME: &[&str] = &[
    "({a}) {r}", "{a}-{r}", "{a}.{.}", "+1 {a} {r}", "1-{a}-{r}", "+1{a}{d}", "{a}{d}", "+1 ({a}) {r}", " {a} {r} ",
    "({a}){d}", "1 ({a}) {r}", "{a}\u{a0}{r}",
];
#[rustfmt::skip]
const ABROAD: &[&str] = &[
    "+{c} {a} {r}", "+{c}{a}{d}", "+{c}-{a}-{-}", "011 {c} {a} {r}", "011{c}{a}{d}", "+{c} ({a}) {r}", "+{c}.{a}.{.}",
    "+ {c} {a} {d}",
];
/// With the trunk prefix that is not dialed from abroad, as these countries like to print it.
const ABROAD_WITH_TRUNK: (&[&str], &str) = (&["44", "49"], "+{c} (0){a} {r}");

impl Number {
    fn new(random: &mut Random, used: &mut BTreeMap<&'static str, usize>) -> Self {
        let (country, city, area, shared, free) =
            if random.below(100) < 64 { random.pick(AMERICA) } else { random.pick(ELSEWHERE) };
        let count = used.entry(city).or_default();
        *count += 1;
        // 37 has no factor in common with a power of ten: no number comes twice.
        let end = 10_usize.pow(u32::try_from(free).unwrap_or_default());
        let rest = format!("{shared}{:0free$}", *count * 37 % end);
        let mut number = Self { country, city, area, rest, notation: 0 };
        number.notation = random.below(number.notations().len());
        number
    }

    fn notations(&self) -> Vec<&'static str> {
        match self.country {
            "1" => AT_HOME.to_vec(),
            country if ABROAD_WITH_TRUNK.0.contains(&country) => [ABROAD, &[ABROAD_WITH_TRUNK.1]].concat(),
            _ => ABROAD.to_vec(),
        }
    }

    fn in_another_notation(&self, random: &mut Random) -> Self {
        let all = self.notations().len();
        Self { notation: (self.notation + 1 + random.below(all - 1)) % all, ..self.clone() }
    }

    fn text(&self) -> String {
        let with = |separator: &str| self.rest.replace([' ', '-'], separator);
        self.notations()[self.notation]
            .replace("{c}", self.country)
            .replace("{a}", self.area)
            .replace("{r}", &self.rest)
            .replace("{d}", &with(""))
            .replace("{-}", &with("-"))
            .replace("{.}", &with("."))
    }
}

/// Which row is what, in a random order.
fn kinds(random: &mut Random) -> Vec<Kind> {
    let mut kinds = vec![Kind::Good; ROWS];
    let mut place = |kind, count, first: usize| {
        for _ in 0..count {
            let free = loop {
                let row = first + random.below(ROWS - first);
                if kinds[row] == Kind::Good {
                    break row;
                }
            };
            kinds[free] = kind;
        }
    };
    place(Kind::Failed, FAILED, 0);
    place(Kind::Duplicate, DUPLICATES, FIRST_DUPLICATE);
    kinds
}

fn name(random: &mut Random) -> String {
    if random.below(100) < 9 {
        random.pick(WHOLE_NAMES).to_owned()
    } else {
        format!("{} {}", random.pick(GIVEN), random.pick(FAMILY))
    }
}

fn email(random: &mut Random, name: &str, row: usize) -> String {
    let handle: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let handle = if handle.is_empty() { "contact".to_owned() } else { handle };
    match random.below(10) {
        0 | 1 => String::new(),
        2 => format!("{handle}+{row}@example.net"),
        3 => format!("{}.{row}@Example.COM", handle.to_uppercase()),
        _ => format!("{handle}{row}@{}", random.pick(&["example.com", "example.org", "mail.example.net"])),
    }
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', ';', '\t']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn main() -> std::io::Result<()> {
    let mut random = Random(SEED);
    let (mut used, mut bad) = (BTreeMap::new(), BAD_NUMBERS.iter());
    let mut written: Vec<(String, Number)> = Vec::new();
    let mut csv = format!("{}\n", HEADER.join(","));
    for (index, kind) in kinds(&mut random).into_iter().enumerate() {
        let (name, city, phone) = match kind {
            Kind::Good => {
                let (name, number) = (name(&mut random), Number::new(&mut random, &mut used));
                written.push((name.clone(), number.clone()));
                (name, number.city, number.text())
            }
            Kind::Duplicate => {
                let first = random.below(written.len());
                let (name, number) = &written[first];
                (name.clone(), number.city, number.in_another_notation(&mut random).text())
            }
            Kind::Failed => (name(&mut random), random.pick(AMERICA).1, (*bad.next().unwrap_or(&"")).to_owned()),
        };
        let email = email(&mut random, &name, index + 1);
        let (company, notes) = (random.pick(COMPANIES), random.pick(NOTES));
        let fields = [&name, &phone, &email, company, city, notes].map(field);
        csv.push_str(&fields.join(","));
        csv.push('\n');
    }
    std::io::stdout().write_all(csv.as_bytes())
}
