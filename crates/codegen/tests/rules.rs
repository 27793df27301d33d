//! Each broken contract must stop the build with a message that says where, why, and what to do.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

const ACCESS: &str = "option (callfairy.options.v1.access) = {signed_in: {}};";
const HTTP: &str = r#"option (google.api.http) = {get: "/api/v1/things/{id}"};"#;

/// Builds the real contract with one more method, which has these options, on a message with these further fields.
fn outcome(method: &str, options: &str, fields: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let google = ["google/api/http.proto", "google/api/annotations.proto"].map(Into::into);
    for file in codegen::proto_files(&proto).unwrap().into_iter().chain(google) {
        let to = dir.path().join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(proto.join(&file), to).unwrap();
    }
    let text = format!(
        r#"syntax = "proto3"; package callfairy.things.v1;
import "callfairy/options/v1/options.proto"; import "google/api/annotations.proto"; import "google/protobuf/struct.proto";
message Thing {{ string id = 1; repeated string tags = 2; {fields} }}
service Things {{
  rpc Get({method}) {{ {options} }}
}}"#
    );
    let path = dir.path().join("callfairy/things/v1/things.proto");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    codegen::contract(dir.path(), dir.path()).map_err(|e| e.to_string())?;
    codegen::services(dir.path(), dir.path()).map_err(|e| e.to_string())
}

#[track_caller]
fn refused(options: &str, fields: &str, why: &str) {
    refused_method("Thing) returns (Thing", options, fields, why);
}

#[track_caller]
fn refused_method(method: &str, options: &str, fields: &str, why: &str) {
    let error = outcome(method, options, fields).unwrap_err();
    assert!(error.contains(why), "{error}");
}

#[test]
fn a_sound_method_is_taken() {
    outcome("Thing) returns (Thing", &format!("{ACCESS} {HTTP}"), "").unwrap();
}

#[test]
fn a_method_says_who_may_call_it_and_where_it_is() {
    let access = |rule: &str| format!("{HTTP} option (callfairy.options.v1.access) = {rule};");
    refused(
        HTTP,
        "",
        "callfairy/things/v1/things.proto:5: Things.Get: has no (callfairy.options.v1.access) option: add",
    );
    refused(ACCESS, "", "has no (google.api.http) option and is not internal: add");
    refused(&access("{}"), "", "says nothing in its access option");
    refused(&access("{internal: {}}"), "", "is internal, so it must not have");
    refused(&access("{permission: PERMISSION_UNSPECIFIED}"), "", "names no permission");
}

#[test]
fn a_scoped_method_names_its_organisation() {
    let access = |path: &str| {
        format!(
            r#"option (callfairy.options.v1.access) = {{permission: PERMISSION_VIEW_CALLS}};
            option (google.api.http) = {{get: "{path}"}};"#
        )
    };
    refused(&access("/api/v1/things/{id}"), "", "has no `string organisation_id`");
    refused(&access("/api/v1/things/{id}"), "string organisation_id = 3;", "its path has no {organisation_id}");
}

#[test]
fn a_route_fits_its_message() {
    let http = |rule: &str| format!("{ACCESS} option (google.api.http) = {rule};");
    refused(
        &http(r#"{get: "/api/v1/things/{nope}"}"#),
        "",
        "{nope} in /api/v1/things/{nope} is not a scalar field of Thing",
    );
    refused(&http(r#"{get: "/api/v1/things/{tags}"}"#), "", "is not a scalar field of Thing");
    refused(&http(r#"{post: "/api/v1/things" body: "tags"}"#), "", "only \"*\" is understood");
    refused(&http(r#"{get: "/api/v1/things" body: "*"}"#), "", "takes no body");
    refused(&http(r#"{get: "/api/v1/me"}"#), "", "GET /api/v1/me is already taken");
    refused(
        &http(r#"{get: "/api/v1/things"}"#),
        "map<string, string> labels = 4;",
        "Thing.labels cannot be written in a query",
    );
    let sent_on = format!("{ACCESS} {HTTP} option (callfairy.options.v1.rest) = {{status: 302}};");
    refused(&sent_on, "", "says status 302, which does not fit its answer");
    assert_eq!(outcome("Thing) returns (Thing", &sent_on, "string location = 4;"), Ok(()));
    let both = "stream Thing) returns (stream Thing";
    refused_method(both, &http(r#"{post: "/api/v1/things" body: "*"}"#), "", "streams both ways");
}

#[test]
fn a_message_has_a_json_form() {
    let http = format!(r#"{ACCESS} option (google.api.http) = {{post: "/api/v1/things" body: "*"}};"#);
    refused(&http, "google.protobuf.Struct data = 4;", "google.protobuf.Struct has no JSON rule");
    refused(&http, "enum Mood { GLAD = 0; } Mood mood = 4;", "lacks the enum's prefix");
    refused(&http, "oneof one { string a = 4; string b = 5; }", "is part of a oneof");
    refused(
        &http,
        "uint32 n = 4 [(callfairy.options.v1.rules) = {max_length: 5}];",
        "has a rule for texts, but is none",
    );
    refused(&http, "string n = 4 [(callfairy.options.v1.rules) = {max: 5}];", "is not a whole number");
}
