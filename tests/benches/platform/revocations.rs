//! How long after a revocation's answer another process still lets somebody in.

use crate::Extent;
use crate::report::{Aim, Row, Table};
use crate::world::World;
use access::{Client, Meta};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use callfairy_core::{ErrorCode, Problem, Secret};
use proto::rpc::contacts::ListContacts;
use proto::telephony::ListContactsRequest;
use serde_json::Value;
use std::time::{Duration, Instant};
use testkit::{Layout, Program};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

/// Slower than any revocation may be.
const PATIENCE: Duration = Duration::from_secs(10);
const WITH_BROKER: Aim = Aim::AtMost(50.0);
const WITHOUT_BROKER: Aim = Aim::AtMost(1_500.0);
/// A lease, and what a busy machine adds.
const WITHOUT_AUTHORITY: Aim = Aim::AtMost(1_500.0);

pub async fn measure(extent: Extent) -> Result<Table> {
    let broker = Broker::in_front_of(&std::env::var("CALLFAIRY_TEST_AMQP_URL")?).await?;
    let mut world = World::with(Layout::SixProcesses, &[("AMQP_URL", broker.url.as_str())]).await;
    let door = Door::new(&world).await?;
    let with_broker = door.revocations(&world, extent.time).await?;
    broker.cut().await;
    let without_broker = door.revocations(&world, extent.time).await?;
    door.open(&world).await?;
    world.platform.process_mut(Program::Tenancy).signal("STOP");
    let without_authority = door.until_it_closes(ErrorCode::Unavailable).await?.asked;

    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    let row = |what: &str, times: &[Duration], value: Duration| Row {
        latency: Some([times[times.len() / 2], times[times.len() * 99 / 100]]),
        ..Row::new(what, milliseconds(value))
    };
    let slowest = |times: &[Duration]| times.last().copied().unwrap_or_default();
    let most = |times: &[Duration]| times[times.len() * 99 / 100];
    Ok(Table {
        title: format!("{} and {} revocations", with_broker.len(), without_broker.len()),
        unit: "ms",
        rows: vec![
            row("99 of 100, with the broker", &with_broker, most(&with_broker)).aim(WITH_BROKER),
            row("all, with the broker", &with_broker, slowest(&with_broker)).aim(WITHOUT_BROKER),
            row("all, the broker cut off", &without_broker, slowest(&without_broker)).aim(WITHOUT_BROKER),
            Row::new("the authority stopped: the last that is let in", milliseconds(without_authority))
                .aim(WITHOUT_AUTHORITY),
        ],
        note: "From the gateway's answer to the first refusal by telephony, asked directly and without a pause.",
    })
}

/// The first that was not let in.
struct Refused {
    asked: Duration,
    answered: Duration,
}

/// telephony, as its own client, which hears nothing of the gateway.
struct Door {
    telephony: Client,
    meta: Meta,
    request: ListContactsRequest,
    /// The path of the permission that opens it.
    permission: String,
}

impl Door {
    async fn new(world: &World) -> Result<Self> {
        let agents = world.admin.get(&format!("/agents?organisation_id={}", world.organisation)).await.expect(200);
        let agent = agents["agents"][0]["id"].as_str().context("no agent")?;
        Ok(Self {
            telephony: world.platform.service_client(Program::Telephony).context("no telephony")?,
            meta: Meta::with_token(Secret::new(world.agent.token().context("no token")?)),
            request: ListContactsRequest { organisation_id: world.organisation.clone(), ..Default::default() },
            permission: format!("/agents/{agent}/permissions/view_contacts"),
        })
    }

    async fn open(&self, world: &World) -> Result<()> {
        world.admin.put(&self.permission, Value::Null).await.expect(200);
        let granted = Instant::now();
        while let Err(problem) = self.knock().await {
            ensure!(granted.elapsed() < PATIENCE, "still refused: {problem:?}");
        }
        Ok(())
    }

    async fn knock(&self) -> Result<(), Problem> {
        self.telephony.unary::<ListContacts>(&self.meta, self.request.clone()).await.map(drop)
    }

    /// In the order of their length.
    async fn revocations(&self, world: &World, time: Duration) -> Result<Vec<Duration>> {
        let (until, mut times) = (Instant::now() + time, vec![]);
        while Instant::now() < until {
            self.open(world).await?;
            world.admin.delete(&self.permission).await.expect(200);
            times.push(self.until_it_closes(ErrorCode::PermissionDenied).await?.answered);
        }
        times.sort_unstable();
        Ok(times)
    }

    async fn until_it_closes(&self, code: ErrorCode) -> Result<Refused> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let asked = began.elapsed();
            match self.knock().await {
                Ok(()) => {}
                Err(problem) if problem.code == code => return Ok(Refused { asked, answered: began.elapsed() }),
                Err(problem) => return Err(anyhow!("{problem:?}")),
            }
        }
        bail!("open for {PATIENCE:?}")
    }
}

/// A way to the broker that can be cut.
struct Broker {
    url: String,
    forwarding: JoinHandle<()>,
}

impl Broker {
    async fn in_front_of(url: &str) -> Result<Self> {
        let mut url = Url::parse(url)?;
        let target = format!("{}:{}", url.host_str().context("no host")?, url.port().unwrap_or(5672));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        url.set_port(Some(listener.local_addr()?.port())).map_err(|()| anyhow!("no port"))?;
        let forwarding = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let target = target.clone();
                connections.spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(target).await {
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Ok(Self { url: url.into(), forwarding })
    }

    /// Every connection breaks, and no other is taken.
    async fn cut(self) {
        self.forwarding.abort();
        let _ = self.forwarding.await;
    }
}
