#![allow(clippy::unwrap_used)]
use super::*;
use proto::auth::ListUsersRequest;
use proto::telephony::{ContactOrder, CreateCallRequest, CreateCampaignRequest, ListCallsRequest, ListContactsRequest};
use proto::types::Permission;

fn json<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let mut fields = Fields::default();
    fields.add_json(text.as_bytes())?;
    fields.read()
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let mut fields = Fields::default();
    fields.add_texts(form_urlencoded::parse(text.as_bytes()))?;
    fields.read()
}

/// The field and the message of a refusal.
fn refused<T: std::fmt::Debug>(read: Result<T, Problem>) -> (String, String) {
    let problem = read.unwrap_err();
    assert_eq!(problem.code, ErrorCode::InvalidArgument);
    let [error] = problem.fields.as_slice() else { return (String::new(), problem.detail) };
    (error.field.clone(), error.message.clone())
}

#[test]
fn reads_json_of_every_kind() {
    let text = r#"{"phone_number":"+1\u0034","max_duration":5,"record":true,"voice":null,"metadata":{"a":"ü","b":""},
        "scheduled_at":"2026-01-01T00:00:00.5Z","voicemail":{"action":"leave_message","message":"hi"}}"#;
    let call: CreateCallRequest = json(text).unwrap();
    assert_eq!((call.phone_number.as_str(), call.max_duration, call.record), ("+14", Some(5), Some(true)));
    assert_eq!((call.voice, call.metadata.len(), call.scheduled_at.map(|at| at.nanos)), (None, 2, Some(500_000_000)));
    let voicemail = call.voicemail.unwrap();
    assert_eq!((voicemail.action, voicemail.message.as_deref()), (2, Some("hi")));
    assert_eq!(json::<CreateCallRequest>("").unwrap(), CreateCallRequest::default());
    assert_eq!(json::<CreateCallRequest>("{}").unwrap(), CreateCallRequest::default());
}

#[test]
fn reads_texts_as_what_the_field_is() {
    let calls: ListCallsRequest =
        query("page_size=7&status=no_answer&from=2026-01-01T00:00:00Z&page_token=a%2Bb").unwrap();
    assert_eq!((calls.page_size, calls.status, calls.page_token.as_str()), (7, 6, "a+b"));
    assert_eq!(calls.from.unwrap().seconds, 1_767_225_600);
    let users: ListUsersRequest = query("is_active=false&search=J%C3%B6rg+M").unwrap();
    assert_eq!((users.is_active, users.search.as_str()), (Some(false), "Jörg M"));
    let contacts: ListContactsRequest = query("order_by=name").unwrap();
    assert_eq!(contacts.order_by(), ContactOrder::Name);
    let permissions: proto::agent::SetPackageRequest = query("permissions=make_calls&permissions=view_calls").unwrap();
    assert_eq!(permissions.permissions().collect::<Vec<_>>(), [Permission::MakeCalls, Permission::ViewCalls]);
}

#[test]
fn names_what_is_wrong_in_json() {
    for (text, field, message) in [
        (r#"{"nope":1}"#, "nope", "is not a field of this request"),
        (r#"{"pacing":{"nope":1}}"#, "pacing.nope", "is not a field of this request"),
        (r#"{"name":"a","name":"b"}"#, "name", "is given more than once"),
        (r#"{"pacing":{"max_concurrent":1,"max_concurrent":1}}"#, "pacing.max_concurrent", "is given more than once"),
        (r#"{"name":7}"#, "name", "expected a string"),
        (r#"{"name":null}"#, "name", "expected a string"),
        (
            r#"{"pacing":{"max_concurrent":"7"}}"#,
            "pacing.max_concurrent",
            "expected a whole number from 0 to 4294967295",
        ),
        (
            r#"{"pacing":{"max_concurrent":-1}}"#,
            "pacing.max_concurrent",
            "expected a whole number from 0 to 4294967295",
        ),
        (
            r#"{"pacing":{"max_concurrent":1.5}}"#,
            "pacing.max_concurrent",
            "expected a whole number from 0 to 4294967295",
        ),
        (
            r#"{"pacing":{"max_concurrent":4294967296}}"#,
            "pacing.max_concurrent",
            "expected a whole number from 0 to 4294967295",
        ),
        (r#"{"pacing":[1,2]}"#, "pacing", "expected an object"),
        (r#"{"contacts":{"ids":"a"}}"#, "contacts.ids", "expected a list"),
        (r#"{"contacts":{"ids":["a",7]}}"#, "contacts.ids[1]", "expected a string"),
        (r#"{"contacts":{"all":"true"}}"#, "contacts.all", "expected true or false"),
    ] {
        assert_eq!(refused(json::<CreateCampaignRequest>(text)), (field.into(), message.into()), "{text}");
    }
    for (text, field, message) in [
        (
            r#"{"voicemail":{"action":"unspecified"}}"#,
            "voicemail.action",
            "must be one of: hangup, leave_message, ignore",
        ),
        (r#"{"voicemail":{"action":{"hangup":null}}}"#, "voicemail.action", "expected a string"),
        (r#"{"voicemail":{"action":1}}"#, "voicemail.action", "expected a string"),
        (r#"{"metadata":{"a":"1","a":"2"}}"#, "metadata.a", "is given more than once"),
        (r#"{"scheduled_at":"tomorrow"}"#, "scheduled_at", "expected an RFC 3339 time"),
        (r#"{"metadata":{"a":1}}"#, "metadata.a", "expected a string"),
    ] {
        assert_eq!(refused(json::<CreateCallRequest>(text)), (field.into(), message.into()), "{text}");
    }
}

#[test]
fn names_what_is_wrong_in_a_query() {
    for (text, field, message) in [
        ("nope=1", "nope", "is not a field of this request"),
        ("page_size=x", "page_size", "expected a whole number from 0 to 4294967295"),
        ("page_size=", "page_size", "expected a whole number from 0 to 4294967295"),
        ("page_size=1&page_size=2", "page_size", "expected one value"),
        ("from=now", "from", "expected an RFC 3339 time"),
    ] {
        assert_eq!(refused(query::<ListCallsRequest>(text)), (field.into(), message.into()), "{text}");
    }
    assert_eq!(refused(query::<ListUsersRequest>("is_active=yes")).1, "expected true or false");
    let bogus = "permissions=make_calls&permissions=bogus";
    assert_eq!(refused(query::<proto::agent::SetPackageRequest>(bogus)).0, "permissions[1]");
}

#[test]
fn a_value_is_told_nowhere() {
    for text in
        [r#"{"name":7,"task":"hunter2"}"#, r#"{"pacing":"hunter2"}"#, r#"{"status":"hunter2"}"#, r#"{"name":"hunter2"#]
    {
        let problem = json::<CreateCampaignRequest>(text).unwrap_err();
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
    }
}

#[test]
fn one_field_in_two_places_is_given_twice() {
    let mut fields = Fields::default();
    fields.add("organisation_id", Value::Texts(vec!["1".into()]));
    fields.add_texts([("organisation_id".into(), "2".into())]).unwrap();
    assert_eq!(refused(fields.read::<ListCallsRequest>()).0, "organisation_id");
    let mut fields = Fields::default();
    fields.add("organisation_id", Value::Texts(vec!["1".into()]));
    fields.add_json(br#"{"organisation_id":"2"}"#).unwrap();
    assert_eq!(refused(fields.read::<CreateCallRequest>()).0, "organisation_id");
}

#[test]
fn malformed_json_is_told_with_its_place() {
    for (text, place) in [
        ("{\n\"name\": x}", "line 2 column 9"),
        (r#"{"name":"a"} x"#, "line 1 column 14"),
        (r#"{"name":"a""#, "line 1 column 11"),
        (" ", "line 1 column 1"),
        ("{\"name\":\"\\ud800\"}", "line 1 column 16"),
        (r#"{"size":1e999}"#, "line 1 column 13"),
    ] {
        let (field, detail) = refused(json::<CreateCampaignRequest>(text));
        assert!(field.is_empty() && detail.starts_with("the body is not valid JSON: "), "{text}: {detail}");
        assert!(detail.ends_with(place), "{text}: {detail}");
    }
    let mut not_utf8 = Fields::default();
    assert!(not_utf8.add_json(b"{\"name\":\"\xff\"}").is_err());
    for text in ["[]", "7", "null", "\"{}\""] {
        assert_eq!(refused(json::<CreateCampaignRequest>(text)).1, "the body must be a JSON object", "{text}");
    }
}

#[test]
fn depth_and_number_have_bounds() {
    let deep = |levels: usize| format!("{{\"nope\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(refused(json::<CreateCampaignRequest>(&deep(126))).0, "nope");
    assert!(refused(json::<CreateCampaignRequest>(&deep(128))).1.contains("recursion limit"));
    let many = |count: usize| vec!["permissions=make_calls"; count].join("&");
    assert!(query::<proto::agent::SetPackageRequest>(&many(MAX_VALUES)).is_ok());
    assert!(refused(query::<proto::agent::SetPackageRequest>(&many(MAX_VALUES + 1))).1.contains("more than 1000"));
}
