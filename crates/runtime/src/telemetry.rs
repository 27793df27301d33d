//! Logs to standard error, traces by OTLP, and the trace context that travels in headers.

use crate::config::{LogFormat, Telemetry};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;
use tonic::transport::ClientTlsConfig;
use tracing::{Level, Metadata, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, fmt};

/// How long the last spans may take to leave.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);
/// What sends the spans must not make spans of its own.
const UNTRACED: [&str; 6] = ["h2", "hyper", "hyper_util", "tonic", "tower", "opentelemetry"];

/// Why telemetry cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter does not parse")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("the OTLP exporter cannot be built")]
    Exporter(#[from] ExporterBuildError),
    #[error("there is a subscriber already")]
    Twice(#[from] TryInitError),
}

/// Keeps telemetry going. Dropped, it sends what is left, for at most five seconds; drop it while the
/// multi-thread runtime still runs, outside its worker threads.
#[derive(Debug)]
pub struct TelemetryGuard(Option<SdkTracerProvider>);

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_LIMIT)
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Begins logging, and tracing if there is an endpoint. Once in a process, inside its runtime. The name of the
/// service gives way to `OTEL_SERVICE_NAME`.
pub fn init(settings: &Telemetry, service_name: &'static str) -> Result<TelemetryGuard, TelemetryError> {
    let provider = match &settings.otlp_endpoint {
        Some(endpoint) => Some(provider(endpoint.as_str(), service_name)?),
        None => None,
    };
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer().with_tracer(provider.tracer("callfairy")).with_filter(filter_fn(is_traced))
    });
    let logs = fmt::layer().with_writer(std::io::stderr);
    let logs = match settings.log_format {
        LogFormat::Json => logs.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Text => logs.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    let logs = logs.with_filter(EnvFilter::try_new(&settings.log)?);
    tracing_subscriber::registry().with(logs).with(traces).try_init()?;
    Ok(TelemetryGuard(provider))
}

fn provider(endpoint: &str, service_name: &'static str) -> Result<SdkTracerProvider, ExporterBuildError> {
    let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
    if endpoint.starts_with("https:") {
        exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
    }
    let named = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty());
    let resource = Resource::builder();
    let resource = if named { resource } else { resource.with_service_name(service_name) };
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter.build()?).with_resource(resource.build()).build())
}

fn is_traced(metadata: &Metadata<'_>) -> bool {
    let module = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO && !UNTRACED.contains(&module) && !module.starts_with("opentelemetry")
}

/// Hands the current span's context (W3C `traceparent`, `tracestate`) to `set`, header by header. Nothing when
/// there is no trace.
pub fn inject(set: &mut impl FnMut(&str, &str)) {
    inject_from(&Span::current().context(), set);
}

/// [`inject`] into a map, for what is stored or queued.
pub fn headers() -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    inject(&mut |name, value| {
        headers.insert(name.to_owned(), value.to_owned());
    });
    headers
}

/// The context in the headers, whose names are in lower case; an empty one if they hold none that is valid.
pub fn extract(headers: &BTreeMap<String, String>) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Map(headers))
}

/// Makes the span a child of the one whose context the headers carry. Before the span is entered.
pub fn set_parent(span: &Span, headers: &BTreeMap<String, String>) {
    let context = extract(headers);
    if context.span().span_context().is_valid() {
        // Fails without a tracing layer, when there is no trace to join.
        let _ = span.set_parent(context);
    }
}

/// The current trace's id in 32 hexadecimal digits, if there is a trace.
pub fn trace_id() -> Option<String> {
    let context = Span::current().context();
    let id = context.span().span_context().trace_id();
    (id != opentelemetry::TraceId::INVALID).then(|| id.to_string())
}

fn inject_from(context: &Context, set: &mut impl FnMut(&str, &str)) {
    TraceContextPropagator::new().inject_context(context, &mut Sink(set));
}

struct Map<'a>(&'a BTreeMap<String, String>);

impl Extractor for Map<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

struct Sink<'a, F>(&'a mut F);

impl<F: FnMut(&str, &str)> Injector for Sink<'_, F> {
    fn set(&mut self, key: &str, value: String) {
        // An empty tracestate says nothing.
        if !value.is_empty() {
            (self.0)(key, &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn with(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    fn injected(context: &Context) -> BTreeMap<String, String> {
        let mut headers = BTreeMap::new();
        inject_from(context, &mut |name, value| {
            headers.insert(name.to_owned(), value.to_owned());
        });
        headers
    }

    #[test]
    fn hands_on_what_it_received() {
        let mut headers = with("traceparent", PARENT);
        headers.insert("tracestate".to_owned(), "vendor=1".to_owned());
        assert_eq!(injected(&extract(&headers)), headers);
    }

    #[test]
    fn takes_nothing_from_what_is_no_context() {
        for value in ["", "nonsense", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "ff-1-2-3"] {
            let context = extract(&with("traceparent", value));
            assert!(!context.span().span_context().is_valid(), "{value}");
            assert_eq!(injected(&context), BTreeMap::new(), "{value}");
        }
    }

    #[test]
    fn a_span_of_another_process_goes_on_here() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("here");
            set_parent(&span, &with("traceparent", PARENT));
            let _entered = span.enter();
            assert_eq!(trace_id().as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
            let handed_on = headers().remove("traceparent").unwrap_or_default();
            assert!(handed_on.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{handed_on}");
            assert_ne!(handed_on, PARENT, "the parent is this span, not the one before it");
        });
    }

    #[test]
    fn without_traces_there_is_nothing_to_hand_on() {
        let _entered = tracing::info_span!("here").entered();
        assert_eq!(headers(), BTreeMap::new());
        assert_eq!(trace_id(), None);
    }
}
