//! One program from its settings to its end: the spans arrive at the collector, with the parent that they were given.
#![allow(clippy::unwrap_used)]

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use runtime::config::Environment;
use runtime::{BoxError, Program, Settings, telemetry};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

struct Collector(Sender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A collector on a runtime of its own, so that the program's end does not end it.
fn collector() -> (SocketAddr, Receiver<ExportTraceServiceRequest>) {
    let (spans, received) = channel();
    let (tell, address) = channel();
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(Collector(spans)));
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        });
    });
    (address.recv().unwrap(), received)
}

#[test]
fn spans_arrive_before_the_program_ends() {
    let (address, received) = collector();
    let endpoint = format!("http://{address}");
    let environment = Environment::from([("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), endpoint)]);
    let settings = Settings::load(Program::Platform, None, &environment).unwrap();

    let code = runtime::run_with(settings, async |_, _| {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let span = tracing::info_span!("dial");
        telemetry::set_parent(&span, &BTreeMap::from([("traceparent".to_owned(), parent.to_owned())]));
        span.in_scope(|| tracing::info!("ringing"));
        tracing::info_span!(target: "h2::client", "noise").in_scope(|| ());
        Err::<(), BoxError>("it failed".into())
    });
    assert_eq!(code, ExitCode::from(1));

    let export = received.recv_timeout(Duration::from_secs(10)).unwrap();
    let resource = export.resource_spans[0].resource.as_ref().unwrap();
    let name = resource.attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
    assert_eq!(name.value.as_ref().unwrap().value, Some(Value::StringValue("callfairy".to_owned())));
    let spans: Vec<_> = export.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans).collect();
    assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["dial"]);
    assert_eq!(spans[0].trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes());
    assert_eq!(spans[0].parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    assert_eq!(spans[0].events[0].name, "ringing");
}
