//! Which column of a file is what.

use callfairy_core::Problem;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Columns of a file.
pub const MAX_COLUMNS: usize = 1_000;
/// Columns whose values are kept beside the fields; the rest is left out.
pub const MAX_METADATA: usize = 100;
/// Characters of a key of the metadata; a longer header is cut.
const MAX_KEY: usize = 100;
/// Headers that an answer names, and characters of each.
const NAMED_HEADERS: usize = 20;
const NAMED_LENGTH: usize = 50;

/// A field of a contact that a column can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Name,
    PhoneNumber,
    Email,
    Tags,
    /// Kept under its header.
    Metadata,
}

/// Headers by which fields are known, folded and without all that is not a letter or a digit; the likeliest first.
const KNOWN: &[(Field, &[&str])] = &[
    (
        Field::PhoneNumber,
        &[
            "phonenumber",
            "phone",
            "phoneno",
            "phonenr",
            "telephonenumber",
            "telephone",
            "telephoneno",
            "tel",
            "telno",
            "mobilenumber",
            "mobile",
            "mobilephone",
            "mobileno",
            "cellphone",
            "cellphonenumber",
            "cellnumber",
            "cell",
            "contactnumber",
            "contactno",
            "phone1",
            "phone1value",
            "msisdn",
            "whatsapp",
            "whatsappnumber",
            "e164",
            "telefonnummer",
            "telefon",
            "rufnummer",
            "handynummer",
            "handy",
            "mobilnummer",
            "numerodetelephone",
            "telefono",
            "numerodetelefono",
            "movil",
            "celular",
            "telefone",
            "cellulare",
        ],
    ),
    (
        Field::Name,
        &[
            "name",
            "fullname",
            "contactname",
            "displayname",
            "contact",
            "person",
            "nomcomplet",
            "nombrecompleto",
            "nombre",
            "nome",
            "nomecompleto",
        ],
    ),
    (
        Field::Email,
        &[
            "email",
            "emailaddress",
            "mail",
            "mailaddress",
            "emailid",
            "email1",
            "email1value",
            "emailadresse",
            "adresseemail",
            "courriel",
            "correo",
            "correoelectronico",
        ],
    ),
    (Field::Tags, &["tags", "tag", "labels", "label", "groups", "group"]),
];
/// The parts of a name, in the order in which they are joined.
const NAME_PARTS: [&[&str]; 3] = [
    &["firstname", "givenname", "forename", "first", "vorname", "prenom"],
    &["middlename", "additionalname"],
    &["lastname", "surname", "familyname", "last", "nachname", "nomdefamille", "apellido", "apellidos", "sobrenome"],
];
/// Words before a known header that do not change what it is: `Customer Phone`.
const PREFIXES: &[&str] = &["customer", "client", "contact", "lead", "primary", "main", "home", "work", "your"];
/// The columns of an error report, which is corrected and imported again.
pub const ERROR_COLUMNS: [&str; 4] = ["error_line", "error_column", "error_code", "error_message"];

/// The uploader's own words on columns: header to field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapping(BTreeMap<String, Field>);

impl Mapping {
    /// From a JSON object; nothing from an empty text.
    pub fn parse(json: &str) -> Result<Self, Problem> {
        if json.trim().is_empty() {
            return Ok(Self::default());
        }
        let mapping: BTreeMap<String, String> = serde_json::from_str(json).map_err(|_| {
            bad_mapping("is not a JSON object of column headers and fields, such as {\"Cell\": \"phone_number\"}")
        })?;
        let field = |(header, field): (String, String)| match field.as_str() {
            "name" => Ok((header, Field::Name)),
            "phone_number" => Ok((header, Field::PhoneNumber)),
            "email" => Ok((header, Field::Email)),
            "tags" => Ok((header, Field::Tags)),
            "metadata" => Ok((header, Field::Metadata)),
            other => Err(bad_mapping(format!(
                "names the field {:?}; the fields are name, phone_number, email, tags, metadata",
                cut(other),
            ))),
        };
        mapping.into_iter().map(field).collect::<Result<_, _>>().map(Self)
    }
}

/// What each column of a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// As they stand in the file.
    pub headers: Vec<String>,
    pub phone_number: usize,
    /// Joined with a space in this order.
    pub name: Vec<usize>,
    pub email: Option<usize>,
    pub tags: Vec<usize>,
    /// The others, with their keys.
    pub metadata: Vec<(usize, String)>,
}

impl Columns {
    /// What `mapping` says goes first; fields that it does not name are found by known names.
    pub fn find(headers: Vec<String>, mapping: &Mapping) -> Result<Self, Problem> {
        if headers.len() > MAX_COLUMNS {
            return Err(Problem::field("file", format!("has more than {MAX_COLUMNS} columns")));
        }
        let mut roles = vec![None; headers.len()];
        for (header, field) in &mapping.0 {
            let column = named(&headers, header)?;
            if roles[column].replace(*field).is_some_and(|other| other != *field) {
                return Err(bad_mapping(format!("names the column {:?} twice", cut(header))));
            }
        }
        let words: Vec<String> = headers.iter().map(|header| fold(header)).collect();
        let of = |field, roles: &[Option<Field>]| -> Vec<usize> {
            (0..roles.len()).filter(|column| roles[*column] == Some(field)).collect()
        };
        let mut name = of(Field::Name, &roles);
        for (field, known) in KNOWN {
            if of(*field, &roles).is_empty()
                && let Some(column) = known_column(&words, &roles, known)
            {
                roles[column] = Some(*field);
            }
        }
        if name.is_empty() {
            name = of(Field::Name, &roles);
        }
        if name.is_empty() {
            name = NAME_PARTS.iter().filter_map(|known| known_column(&words, &roles, known)).collect();
            for column in &name {
                roles[*column] = Some(Field::Name);
            }
        }
        let [phone_number] = of(Field::PhoneNumber, &roles)[..] else {
            return Err(no_single(&headers, "phone_number", of(Field::PhoneNumber, &roles).is_empty()));
        };
        let email = match of(Field::Email, &roles)[..] {
            [] => None,
            [column] => Some(column),
            [..] => return Err(no_single(&headers, "email", false)),
        };
        let tags = of(Field::Tags, &roles);
        let others = (0..headers.len()).filter(|column| matches!(roles[*column], None | Some(Field::Metadata)));
        let metadata = keys(&headers, others.filter(|column| !ERROR_COLUMNS.contains(&headers[*column].as_str())));
        Ok(Self { headers, phone_number, name, email, tags, metadata })
    }

    /// Header to field, of all columns that are fields.
    pub fn mapping(&self) -> BTreeMap<String, String> {
        let fields = [
            ("name", self.name.as_slice()),
            ("phone_number", &[self.phone_number]),
            ("email", self.email.as_slice()),
            ("tags", &self.tags),
        ];
        let named = |(field, columns): (&str, &[usize])| -> Vec<(String, String)> {
            columns.iter().map(|column| (self.header(*column), field.to_owned())).collect()
        };
        fields.into_iter().flat_map(named).collect()
    }

    /// A column's header, or its number if it has none.
    pub fn header(&self, column: usize) -> String {
        header(&self.headers, column)
    }
}

fn header(headers: &[String], column: usize) -> String {
    match headers.get(column).map(|header| header.trim()) {
        None | Some("") => format!("column {}", column + 1),
        Some(header) => header.to_owned(),
    }
}

/// The column with this header, written exactly so or alike.
fn named(headers: &[String], wanted: &str) -> Result<usize, Problem> {
    let exact = headers.iter().position(|header| header.trim() == wanted.trim());
    let alike = || {
        let mut alike = headers.iter().enumerate().filter(|(_, header)| fold(header) == fold(wanted));
        alike.next().map(|(column, _)| column).filter(|_| alike.next().is_none())
    };
    exact.or_else(alike).ok_or_else(|| {
        bad_mapping(format!(
            "names the column {:?}, which the file has not; its columns are {}",
            cut(wanted),
            list(headers)
        ))
    })
}

/// The column that has no role yet and the likeliest of the known headers; the first of several.
fn known_column(words: &[String], roles: &[Option<Field>], known: &[&str]) -> Option<usize> {
    let rank = |word: &str| known.iter().position(|known| *known == word);
    let rank_with_prefix = |word: &str| {
        let stripped = PREFIXES.iter().filter_map(|prefix| rank(word.strip_prefix(prefix)?)).min();
        rank(word).or(stripped.map(|rank| rank + known.len()))
    };
    let free = words.iter().enumerate().filter(|(column, _)| roles[*column].is_none());
    free.filter_map(|(column, word)| Some((rank_with_prefix(word)?, column))).min().map(|(_, column)| column)
}

/// A key for each of the first columns: its header, told apart where two are alike.
fn keys(headers: &[String], columns: impl Iterator<Item = usize>) -> Vec<(usize, String)> {
    let mut keys: Vec<(usize, String)> = vec![];
    for column in columns.take(MAX_METADATA) {
        let header: String = header(headers, column).chars().take(MAX_KEY).collect();
        let mut key = header.clone();
        while keys.iter().any(|(_, known)| *known == key) {
            let suffix = format!(" ({})", column + 1);
            key = header.chars().take(MAX_KEY - suffix.len()).chain(suffix.chars()).collect();
        }
        keys.push((column, key));
    }
    keys
}

/// Case, accents, spaces and punctuation do not count.
fn fold(header: &str) -> String {
    db::fold(header).chars().filter(|c| c.is_alphanumeric()).collect()
}

fn bad_mapping(message: impl Into<String>) -> Problem {
    Problem::field("mapping", message)
}

fn no_single(headers: &[String], field: &str, none: bool) -> Problem {
    if none {
        let example = headers.first().map(|_| cut(&header(headers, 0))).unwrap_or_default();
        let message = format!(
            "has no column that can be the phone number; its columns are {}. Say which one it is in `mapping`, such as \
             {{{example:?}: \"phone_number\"}}",
            list(headers),
        );
        return Problem::field("file", message);
    }
    bad_mapping(format!("names several columns for {field}, which only one can be"))
}

fn list(headers: &[String]) -> String {
    let named = (0..headers.len().min(NAMED_HEADERS)).map(|column| format!("{:?}", cut(&header(headers, column))));
    let more = (headers.len() > NAMED_HEADERS).then(|| format!("{} more", headers.len() - NAMED_HEADERS));
    named.chain(more).collect::<Vec<_>>().join(", ")
}

fn cut(text: &str) -> String {
    text.chars().take(NAMED_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn find(headers: &[&str], mapping: &str) -> Result<Columns, Problem> {
        Columns::find(headers.iter().map(|h| (*h).to_owned()).collect(), &Mapping::parse(mapping)?)
    }

    #[test]
    fn headers_in_any_notation() {
        for phone in
            ["Phone No.", "mobile_number", "PHONE NUMBER", "Téléphone", "Cell-Phone", "Customer phone", " tel "]
        {
            for mail in ["E-Mail", "email address", "E-mail 1 - Value"] {
                let columns = find(&["City", mail, phone, "Full Name"], "").unwrap();
                assert_eq!((columns.phone_number, columns.email, &columns.name[..]), (2, Some(1), &[3][..]), "{phone}");
                assert_eq!(columns.metadata, [(0, "City".to_owned())]);
            }
        }
    }

    #[test]
    fn names_in_parts() {
        let columns = find(&["Last Name", "phone", "First Name"], "").unwrap();
        assert_eq!(columns.name, [2, 0]);
        let mapping = columns.mapping();
        assert_eq!(mapping["First Name"], "name");
        assert_eq!(mapping.len(), 3);
        // A whole name goes before its parts, which are kept.
        let columns = find(&["First Name", "Name", "phone"], "").unwrap();
        assert_eq!((&columns.name[..], columns.metadata.len()), (&[1][..], 1));
    }

    #[test]
    fn the_likeliest_of_several_numbers() {
        let columns = find(&["Home Phone", "Mobile", "Phone", "Name"], "").unwrap();
        assert_eq!(columns.phone_number, 2);
        assert_eq!(columns.metadata.len(), 2);
    }

    #[test]
    fn a_mapping_goes_before_known_names() {
        let columns = find(&["Phone", "Private", "Name"], r#"{"private": "phone_number"}"#).unwrap();
        assert_eq!((columns.phone_number, &columns.name[..]), (1, &[2][..]));
        assert_eq!(columns.metadata, [(0, "Phone".to_owned())]);
        let columns = find(&["Phone", "Name"], r#"{"Name": "metadata"}"#).unwrap();
        assert_eq!((&columns.name[..], columns.metadata.len()), (&[][..], 1));
        let columns = find(&["Phone", "Nick", "Clan"], r#"{"Nick": "name", "Clan": "name"}"#).unwrap();
        assert_eq!(columns.name, [1, 2]);
    }

    #[test]
    fn refusals_name_the_field_and_the_way_out() {
        let refusal = |headers: &[&str], mapping: &str| {
            let problem = find(headers, mapping).unwrap_err();
            (problem.fields[0].field.clone(), problem.fields[0].message.clone())
        };
        let (field, message) = refusal(&["Who", "Where"], "");
        assert_eq!(field, "file");
        assert!(message.contains(r#""Who", "Where""#) && message.contains("mapping"), "{message}");
        for mapping in [
            "no JSON",
            "[]",
            r#"{"phone": 1}"#,
            r#"{"phone": "telephone"}"#,
            r#"{"Fax": "phone_number"}"#,
            r#"{"phone": "phone_number", "who": "phone_number"}"#,
            r#"{"phone": "phone_number", "Phone": "email"}"#,
        ] {
            assert_eq!(refusal(&["phone", "who"], mapping).0, "mapping", "{mapping}");
        }
        assert_eq!(refusal(&vec!["phone"; MAX_COLUMNS + 1], "").0, "file");
    }

    #[test]
    fn every_other_column_has_a_key_of_its_own() {
        let long = "x".repeat(300);
        let columns = find(&["phone", "Note", "Note", "", &long, &long, "error_code"], "").unwrap();
        let keys: Vec<&str> = columns.metadata.iter().map(|(_, key)| key.as_str()).collect();
        let cut = "x".repeat(100);
        assert_eq!(keys, ["Note", "Note (3)", "column 4", &cut, &format!("{} (6)", "x".repeat(96))]);
        let many: Vec<String> = (0..150).map(|n| format!("c{n}")).chain(["phone".into()]).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(find(&many, "").unwrap().metadata.len(), MAX_METADATA);
    }
}
