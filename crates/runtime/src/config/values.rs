//! Gathers the text of every setting: defaults, under the TOML file, under the environment.

use super::error::{ConfigError, Source};
use super::table::{CONFIG_VARIABLE, FILE_SUFFIX, PREFIX, SETTINGS, Setting, TEST_PREFIX, find};
use callfairy_core::Secret;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Variables by name.
pub type Environment = BTreeMap<String, String>;

/// The longest file that `<variable>_FILE` may name, and the longest TOML file, in bytes.
const MAX_FILE: u64 = 256 * 1024;

/// What a parser wanted instead of what it got.
pub(super) type Expected = Cow<'static, str>;

struct Value {
    text: Secret,
    from: Source,
}

/// The texts as gathered. An empty text counts as absent in every source.
#[derive(Default)]
pub(super) struct Values(BTreeMap<&'static str, Value>);

/// One source: texts by the names that are written in it.
struct Layer {
    from: Source,
    texts: BTreeMap<String, String>,
    /// How a setting is called in it, and how the file of a secret is.
    name: fn(&Setting) -> String,
    file_suffix: String,
    /// Known names that are no settings.
    others: &'static [&'static str],
}

impl Values {
    /// `file`: the TOML file's path and content.
    pub fn gather(file: Option<(&Path, &str)>, environment: &Environment) -> Result<Self, ConfigError> {
        let mut values = Self::default();
        for setting in SETTINGS {
            values.put(setting.variable, setting.default, Source::Default);
        }
        if let Some((path, content)) = file {
            values.add(Layer {
                from: Source::File(path.to_owned()),
                texts: read_toml(path, content)?,
                name: Setting::key,
                file_suffix: FILE_SUFFIX.to_ascii_lowercase(),
                others: &[],
            })?;
        }
        values.add(Layer {
            from: Source::Environment,
            texts: environment.iter().filter(|(name, _)| is_ours(name)).map(|(n, t)| (n.clone(), t.clone())).collect(),
            name: |setting| setting.variable.to_owned(),
            file_suffix: FILE_SUFFIX.to_owned(),
            others: &[CONFIG_VARIABLE],
        })?;
        Ok(values)
    }

    fn add(&mut self, mut layer: Layer) -> Result<(), ConfigError> {
        let mut known: Vec<String> = layer.others.iter().map(|name| (*name).to_owned()).collect();
        for name in layer.others {
            layer.texts.remove(*name);
        }
        for setting in SETTINGS {
            let name = (layer.name)(setting);
            let text = layer.texts.remove(&name).filter(|text| !text.is_empty());
            if let Some(text) = &text {
                self.put(setting.variable, text, layer.from.clone());
            }
            if setting.secret {
                let file_name = format!("{name}{}", layer.file_suffix);
                if let Some(path) = layer.texts.remove(&file_name).filter(|path| !path.is_empty()) {
                    if text.is_some() {
                        return Err(ConfigError::BothGiven { name, from: layer.from });
                    }
                    let path = PathBuf::from(path);
                    let text = read_file(&file_name, &path)?;
                    let text = text.trim_end_matches(['\r', '\n']);
                    if text.is_empty() {
                        let expected =
                            Expected::from(format!("a value in the file {}, which is empty", path.display()));
                        return Err(ConfigError::BadValue { name: file_name, from: layer.from, expected, value: None });
                    }
                    self.put(setting.variable, text, Source::SecretFile(path));
                }
                known.push(file_name);
            }
            known.push(name);
        }
        match layer.texts.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let nearest =
                    known.into_iter().min_by_key(|known| distance(stem(known), stem(&name))).unwrap_or_default();
                Err(ConfigError::Unknown { name, from: layer.from, nearest })
            }
        }
    }

    fn put(&mut self, variable: &'static str, text: &str, from: Source) {
        if !text.is_empty() {
            self.0.insert(variable, Value { text: Secret::new(text), from });
        }
    }

    /// Gives an absent setting the value that was worked out for it.
    pub fn fill(&mut self, variable: &'static str, text: impl FnOnce() -> String) {
        if !self.0.contains_key(variable) {
            self.put(variable, &text(), Source::Default);
        }
    }

    pub fn text(&self, variable: &str) -> Option<&str> {
        self.0.get(variable).map(|value| value.text.expose())
    }

    pub fn source(&self, variable: &str) -> Source {
        self.0.get(variable).map_or(Source::Default, |value| value.from.clone())
    }

    /// A text of any form.
    pub fn secret(&self, variable: &'static str) -> Option<Secret> {
        self.0.get(variable).map(|value| value.text.clone())
    }

    /// The parsed value; absent: none.
    pub fn optional<T>(
        &self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Expected>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.0.get(variable) else { return Ok(None) };
        let text = value.text.expose();
        parse(text).map(Some).map_err(|expected| {
            let show = find(variable).is_some_and(|setting| !setting.secret);
            ConfigError::BadValue {
                name: variable.to_owned(),
                from: value.from.clone(),
                expected,
                value: show.then(|| text.to_owned()),
            }
        })
    }

    /// The parsed value of a setting that has a default.
    pub fn get<T>(
        &self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Expected>,
    ) -> Result<T, ConfigError> {
        self.optional(variable, parse)?.ok_or(ConfigError::Missing { name: variable, why: "it has no default" })
    }
}

/// Whether the variable must be known to the table or is in it; all others belong to somebody else.
pub(super) fn is_ours(name: &str) -> bool {
    let stem = name.strip_suffix(FILE_SUFFIX).unwrap_or(name);
    (name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX))
        || SETTINGS.iter().any(|setting| setting.variable == name || (setting.secret && setting.variable == stem))
}

/// `name`: the setting that names the file.
pub(super) fn read_file(name: &str, path: &Path) -> Result<String, ConfigError> {
    use std::io::Read as _;
    let read = || {
        let mut text = String::new();
        std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE {
            return Err(std::io::Error::other(format!("it is longer than {MAX_FILE} bytes")));
        }
        Ok(text)
    };
    read().map_err(|error| ConfigError::Unreadable { name: name.to_owned(), path: path.to_owned(), error })
}

fn read_toml(path: &Path, content: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let table: toml::Table = content.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| content[..span.start.min(content.len())].matches('\n').count() + 1),
        // The message alone: the error's own text quotes the line, and a line may hold a secret.
        message: error.message().to_owned(),
    })?;
    table
        .into_iter()
        .map(|(name, value)| {
            let text = toml_text(&value).ok_or_else(|| ConfigError::BadValue {
                name: name.clone(),
                from: Source::File(path.to_owned()),
                expected: "a text, a number, true or false, or a list of these".into(),
                value: None,
            })?;
            Ok((name, text))
        })
        .collect()
}

/// The value as the environment would spell it.
fn toml_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        toml::Value::Array(list) => {
            let items: Option<Vec<String>> =
                list.iter().map(|item| if item.is_array() { None } else { toml_text(item) }).collect();
            Some(items?.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// The name without the prefix that some variables have and some have not.
fn stem(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// Levenshtein's distance: how many letters must change to turn one text into the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let change = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
